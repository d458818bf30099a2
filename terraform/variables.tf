variable "namespace" {
  description = "First part of every name: `huntaze` gives `huntaze-cost-alerts`."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,19}$", var.namespace))
    error_message = "namespace must be 2 to 20 lower-case letters, digits and hyphens, and begin with a letter."
  }
}

variable "environment" {
  description = "Last part of the names that differ between installations: `production` gives `huntaze-ai-costs-production`."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,19}$", var.environment))
    error_message = "environment must be 2 to 20 lower-case letters, digits and hyphens, and begin with a letter."
  }
}

variable "account_id" {
  description = "The AWS account that everything is created in. Policies are bound to it."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[0-9]{12}$", var.account_id))
    error_message = "account_id must be the twelve digits of an AWS account."
  }
}

variable "region" {
  description = "The region that the provider works in. ARNs are built from it, so that a plan shows them before anything exists."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "region must be the name of an AWS region, such as us-east-1."
  }
}

variable "tags" {
  description = "Tags of everything that can carry tags, beside the provider's default tags."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for key, value in var.tags : !startswith(lower(key), "aws:") && length(key) <= 128 && length(value) <= 256])
    error_message = "tags must not begin with `aws:`; a key has at most 128 characters, a value 256."
  }
}

variable "kms_key_arn" {
  description = "KMS key to use; null creates one with the policy that the system needs (modules/key)."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key_arn == null || can(regex("^arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+$", var.kms_key_arn))
    error_message = "kms_key_arn must be the ARN of a KMS key (not of an alias)."
  }
}

variable "orchestrator" {
  description = "Queues, tables, topic, budget, anomaly detection. Fields: the inputs of modules/orchestrator with the same names. It has no switch: everything else tells people through its topic."
  type = object({
    create_queues              = optional(bool, true)
    create_tables              = optional(bool, true)
    max_receive_count          = optional(number, 5)
    visibility_timeout_seconds = optional(number, 360)
    deletion_protection        = optional(bool, true)
    point_in_time_recovery     = optional(bool, true)
    email_subscriptions        = optional(set(string), [])
    https_subscriptions        = optional(set(string), [])
    slack                      = optional(object({ team_id = string, channel_id = string }))
    budget = optional(object({
      limit_usd        = number
      forecast_percent = optional(number, 80)
      actual_percent   = optional(number, 100)
      filters          = optional(map(list(string)), {})
    }))
    anomaly = optional(object({
      absolute_usd = optional(number, 10)
      percent      = optional(number, 20)
      monitor_arn  = optional(string)
    }))
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.orchestrator.create_tables || var.monitor == null || length(try(var.monitor.table_arns, [])) > 0
    error_message = "orchestrator.create_tables is off: name the tables in monitor.table_arns."
  }
}

variable "monitor" {
  description = "The scheduled job, null for none. Fields: the inputs of modules/monitor with the same names; `table_arns` only for tables made elsewhere."
  type = object({
    zip_path              = string
    every_minutes         = optional(number, 60)
    timeout_seconds       = optional(number, 300)
    memory_mb             = optional(number, 256)
    table_arns            = optional(set(string), [])
    alarm_topic_arns      = optional(set(string), [])
    assume_role_arns      = optional(set(string), [])
    usage_buckets         = optional(set(string), [])
    athena                = optional(object({ workgroup = string, database = string, table = string, buckets = set(string) }))
    secrets               = optional(set(string), [])
    log_retention_days    = optional(number, 30)
    environment_variables = optional(map(string), {})
  })
  default = null

  validation {
    condition     = try(var.monitor.zip_path != "", var.monitor == null)
    error_message = "monitor.zip_path must not be empty."
  }
}

variable "rate_limiter" {
  description = "The limiter of outgoing messages, null for none. Fields: the inputs of modules/rate_limiter with the same names; `redis` comes from `security.redis`, `secrets_endpoint` from `network` if not given, `queue_arn` is the queue of the orchestrator."
  type = object({
    zip_path                  = string
    reserved_concurrency      = optional(number, 1)
    accept_throttled_receives = optional(bool, false)
    batch_size                = optional(number, 10)
    timeout_seconds           = optional(number, 60)
    vpc_id                    = string
    subnet_ids                = set(string)
    redis                     = optional(object({ endpoint = string, port = optional(number, 6379), security_group_id = string, secret_name = optional(string) }))
    secrets_endpoint          = optional(object({ security_group_id = string }))
    log_retention_days        = optional(number, 30)
  })
  default = null

  validation {
    condition     = var.rate_limiter == null || try(var.rate_limiter.redis, null) != null || try(var.security.redis, null) != null
    error_message = "rate_limiter.redis is needed, or security.redis to create one."
  }

  validation {
    condition     = var.rate_limiter == null || var.orchestrator.create_queues
    error_message = "rate_limiter reads the queue of the orchestrator: orchestrator.create_queues must be on."
  }

  validation {
    condition     = try(var.orchestrator.visibility_timeout_seconds >= 6 * var.rate_limiter.timeout_seconds, var.rate_limiter == null)
    error_message = "orchestrator.visibility_timeout_seconds must be at least six times rate_limiter.timeout_seconds."
  }
}

variable "security" {
  description = "Hardening of the account, null for none. Fields: the inputs of modules/security with the same names, each a switch of its own."
  type = object({
    redis = optional(object({
      vpc_id                     = string
      subnet_ids                 = set(string)
      node_type                  = optional(string, "cache.t4g.micro")
      engine                     = optional(string, "redis")
      engine_version             = optional(string, "7.1")
      parameter_group            = optional(string, "default.redis7")
      nodes                      = optional(number, 2)
      rotation_zip               = string
      rotation_days              = optional(number, 30)
      endpoint_security_group_id = optional(string)
    }))
    block_public_s3 = optional(bool, false)
    database = optional(object({
      family = string
      instance = optional(object({
        identifier           = string
        engine_version       = string
        class                = string
        storage_gb           = number
        username             = optional(string, "finops")
        subnet_group         = string
        security_group_ids   = set(string)
        multi_az             = optional(bool, true)
        performance_insights = optional(bool, true)
        deletion_protection  = optional(bool, true)
      }))
    }))
    cloudtrail           = optional(bool, false)
    audit_retention_days = optional(number, 365)
    guardduty            = optional(object({ min_severity = optional(number, 4) }))
    security_hub         = optional(bool, false)
    task_roles = optional(map(object({
      repository_arns = optional(set(string), [])
      log_group_arns  = set(string)
      secrets         = optional(map(string), {})
      actions         = optional(map(list(string)), {})
    })), {})
  })
  default = null

  validation {
    condition     = try(var.security.redis, null) == null || try(var.security.redis.endpoint_security_group_id, null) != null || try(contains(var.network.interface_endpoints, "secretsmanager") && contains(var.network.interface_endpoints, "elasticache"), false)
    error_message = "security.redis: the rotation needs endpoint_security_group_id, or network.interface_endpoints with secretsmanager and elasticache."
  }
}

variable "observability" {
  description = "Container Insights, alarms, log retention, collector, dashboard; null for none. Fields: the inputs of modules/observability with the same names."
  type = object({
    clusters             = optional(map(object({ container_insights = optional(string, "enabled") })), {})
    services             = optional(map(object({ cpu_percent = optional(number, 85), memory_percent = optional(number, 90) })), {})
    load_balancers       = optional(map(object({ arn_suffix = string, requests_per_minute = number })), {})
    log_groups           = optional(map(object({ class = string, exists = optional(bool, false) })), {})
    audit_retention_days = optional(number, 365)
    dashboard            = optional(bool, true)
    metric_namespace     = optional(string, "finops")
    collector            = optional(object({ image = optional(string, "otel/opentelemetry-collector-contrib:0.116.1"), endpoint = string }))
  })
  default = null

  validation {
    condition     = try(length(setintersection(keys(var.observability.log_groups), ["/aws/lambda/finops-monitor", "/aws/lambda/finops-limiter"])) == 0, var.observability == null)
    error_message = "observability.log_groups must not name the log groups of finops-monitor and finops-limiter: their modules keep those."
  }
}

variable "scaling" {
  description = "Numbers of tasks of ECS services, null for none. Fields: the inputs of modules/scaling with the same names."
  type = object({
    services = map(object({
      min            = number
      max            = number
      cpu_percent    = optional(number, 70)
      memory_percent = optional(number, 80)
      managed = optional(object({
        task_definition    = string
        subnet_ids         = set(string)
        security_group_ids = set(string)
        target_group_arn   = optional(string)
        container_name     = optional(string)
        container_port     = optional(number)
      }))
    }))
    cooldown_seconds = optional(object({ out = optional(number, 60), in = optional(number, 300) }), {})
  })
  default = null

  validation {
    condition     = try(length(var.scaling.services) > 0, var.scaling == null)
    error_message = "scaling.services must name at least one service; null turns the module off."
  }
}

variable "network" {
  description = "Ways to AWS that avoid the NAT gateway, null for none. Fields: the inputs of modules/network with the same names."
  type = object({
    vpc_id                    = string
    route_table_ids           = set(string)
    interface_endpoints       = optional(set(string), [])
    subnet_ids                = optional(set(string), [])
    client_security_group_ids = optional(map(string), {})
    nat_gb_per_month          = optional(map(number), {})
    prices                    = optional(object({ endpoint_hour = optional(number, 0.01), endpoint_gb = optional(number, 0.01), nat_gb = optional(number, 0.045) }), {})
  })
  default = null

  validation {
    condition     = try(length(var.network.route_table_ids) > 0, var.network == null)
    error_message = "network.route_table_ids must name at least one route table."
  }
}

variable "storage" {
  description = "S3 Intelligent-Tiering for buckets that exist, null for none. Fields: the inputs of modules/storage with the same names."
  type = object({
    buckets = map(object({
      archive_days      = optional(number)
      deep_archive_days = optional(number)
      transition_days   = optional(number)
      prefix            = optional(string)
      other_rules = optional(list(object({
        id                                 = string
        enabled                            = optional(bool, true)
        prefix                             = optional(string, "")
        expiration_days                    = optional(number)
        noncurrent_version_expiration_days = optional(number)
        abort_incomplete_upload_days       = optional(number)
        transitions                        = optional(map(number), {})
      })))
    }))
  })
  default = null

  validation {
    condition     = try(length(var.storage.buckets) > 0, var.storage == null)
    error_message = "storage.buckets must name at least one bucket; null turns the module off."
  }
}
