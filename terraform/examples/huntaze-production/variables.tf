variable "account_id" {
  description = "The AWS account of production; with other credentials nothing happens."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[0-9]{12}$", var.account_id))
    error_message = "account_id must be the twelve digits of an AWS account."
  }
}

variable "emails" {
  description = "Who receives every alert by e-mail. Each has to confirm."
  type        = set(string)
  nullable    = false

  validation {
    condition     = length(var.emails) > 0
    error_message = "emails must name at least one address."
  }
}

variable "slack" {
  description = "Slack workspace and channel of the alerts; null for none."
  type        = object({ team_id = string, channel_id = string })
  default     = null

  validation {
    condition     = try(var.slack.team_id != "" && var.slack.channel_id != "", var.slack == null)
    error_message = "slack must have a team_id and a channel_id."
  }
}

variable "monthly_budget_usd" {
  description = "Monthly budget of the account in USD."
  type        = number
  nullable    = false

  validation {
    condition     = var.monthly_budget_usd > 0
    error_message = "monthly_budget_usd must be above zero."
  }
}

variable "anomaly_monitor_arn" {
  description = "The anomaly monitor by service, if the account has one; null creates it."
  type        = string
  default     = null

  validation {
    condition     = var.anomaly_monitor_arn == null || can(regex("^arn:aws:ce::[0-9]{12}:anomalymonitor/", var.anomaly_monitor_arn))
    error_message = "anomaly_monitor_arn must be the ARN of an anomaly monitor."
  }
}

variable "monitor_zip" {
  description = "The packaged finops-monitor."
  type        = string
  nullable    = false

  validation {
    condition     = endswith(var.monitor_zip, ".zip")
    error_message = "monitor_zip must name a .zip file."
  }
}

variable "limiter_zip" {
  description = "The packaged finops-limiter."
  type        = string
  nullable    = false

  validation {
    condition     = endswith(var.limiter_zip, ".zip")
    error_message = "limiter_zip must name a .zip file."
  }
}

variable "rotation_zip" {
  description = "The packaged rotation of the Redis token: modules/security/rotation/package.py makes it."
  type        = string
  nullable    = false

  validation {
    condition     = endswith(var.rotation_zip, ".zip")
    error_message = "rotation_zip must name a .zip file."
  }
}

variable "assume_role_arns" {
  description = "Roles in further accounts whose spend is read."
  type        = set(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for arn in var.assume_role_arns : can(regex("^arn:aws:iam::[0-9]{12}:role/", arn))])
    error_message = "assume_role_arns must be ARNs of IAM roles."
  }
}

variable "usage_buckets" {
  description = "Buckets whose model invocation logs are read."
  type        = set(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for name in var.usage_buckets : can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", name))])
    error_message = "usage_buckets must be names of S3 buckets."
  }
}

variable "vpc_id" {
  description = "VPC of the ECS services and Redis."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^vpc-[0-9a-f]{8,17}$", var.vpc_id))
    error_message = "vpc_id must be the id of a VPC."
  }
}

variable "private_subnet_ids" {
  description = "Private subnets, one for each zone, two at least."
  type        = set(string)
  nullable    = false

  validation {
    condition     = length(var.private_subnet_ids) >= 2
    error_message = "private_subnet_ids must name two subnets at least."
  }
}

variable "private_route_table_ids" {
  description = "Route tables of the private subnets."
  type        = set(string)
  nullable    = false

  validation {
    condition     = length(var.private_route_table_ids) > 0
    error_message = "private_route_table_ids must name at least one route table."
  }
}

variable "nat_gb_per_month" {
  description = "Measured traffic through the NAT gateway by service, in GB a month."
  type        = map(number)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for gb in values(var.nat_gb_per_month) : gb >= 0])
    error_message = "nat_gb_per_month must not be negative."
  }
}

variable "database" {
  description = "The PostgreSQL instance, imported (examples/existing); null keeps only the parameter group."
  type = object({
    identifier         = string
    engine_version     = string
    class              = string
    storage_gb         = number
    username           = string
    subnet_group       = string
    security_group_ids = set(string)
  })
  default = null

  validation {
    condition     = try(var.database.storage_gb >= 20, var.database == null)
    error_message = "database.storage_gb must be at least 20."
  }
}

variable "task_roles" {
  description = "Execution and task roles of ECS services; see modules/security."
  type = map(object({
    repository_arns = optional(set(string), [])
    log_group_arns  = set(string)
    secrets         = optional(map(string), {})
    actions         = optional(map(list(string)), {})
  }))
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for role in values(var.task_roles) : length(role.log_group_arns) > 0])
    error_message = "task_roles: log_group_arns must name at least one log group."
  }
}

variable "services" {
  description = "ECS services by CLUSTER/SERVICE; see modules/scaling."
  type = map(object({
    min = number
    max = number
    managed = optional(object({
      task_definition    = string
      subnet_ids         = set(string)
      security_group_ids = set(string)
      target_group_arn   = optional(string)
      container_name     = optional(string)
      container_port     = optional(number)
    }))
  }))
  nullable = false

  validation {
    condition     = length(var.services) > 0
    error_message = "services must name at least one service."
  }
}

variable "load_balancers" {
  description = "Load balancers to alarm on; see modules/observability."
  type        = map(object({ arn_suffix = string, requests_per_minute = number }))
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for balancer in values(var.load_balancers) : balancer.requests_per_minute > 0])
    error_message = "load_balancers: requests_per_minute must be above zero."
  }
}

variable "log_groups" {
  description = "Log groups by name with their class (standard, critical, audit); see modules/observability."
  type        = map(object({ class = string, exists = optional(bool, false) }))
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for group in values(var.log_groups) : contains(["standard", "critical", "audit"], group.class)])
    error_message = "log_groups: class must be standard, critical or audit."
  }
}

variable "otlp_endpoint" {
  description = "Where the OpenTelemetry collector sends traces and metrics; null for no collector."
  type        = string
  default     = null

  validation {
    condition     = var.otlp_endpoint == null || can(regex("^https://", var.otlp_endpoint))
    error_message = "otlp_endpoint must begin with https://."
  }
}

variable "buckets" {
  description = "Buckets for Intelligent-Tiering; see modules/storage."
  type = map(object({
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
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for bucket in values(var.buckets) : bucket.archive_days != null || bucket.deep_archive_days != null || bucket.transition_days != null])
    error_message = "buckets: each must ask for something: archive_days, deep_archive_days or transition_days."
  }
}
