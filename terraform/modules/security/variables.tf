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
  description = "KMS key that encrypts what this module creates; its policy must let the AWS services named in modules/key use it."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+$", var.kms_key_arn))
    error_message = "kms_key_arn must be the ARN of a KMS key (not of an alias)."
  }
}

variable "topic_arn" {
  description = "Topic that GuardDuty's findings are sent to."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^arn:aws[a-z-]*:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]+$", var.topic_arn))
    error_message = "topic_arn must be the ARN of an SNS topic."
  }
}

variable "redis" {
  description = <<-EOT
    ElastiCache (encrypted at rest and in transit, AUTH token rotated), null for none: `vpc_id` and private `subnet_ids`; `node_type`;
    `engine` (redis or valkey) with `engine_version` and `parameter_group`; `nodes`, of which all but one are replicas in other zones; `rotation_zip`, the package made by
    modules/security/rotation/package.py; `rotation_days`; `endpoint_security_group_id`, the interface endpoints through which the rotation
    reaches Secrets Manager and ElastiCache.
  EOT
  type = object({
    vpc_id                     = string
    subnet_ids                 = set(string)
    node_type                  = optional(string, "cache.t4g.micro")
    engine                     = optional(string, "redis")
    engine_version             = optional(string, "7.1")
    parameter_group            = optional(string, "default.redis7")
    nodes                      = optional(number, 2)
    rotation_zip               = string
    rotation_days              = optional(number, 30)
    endpoint_security_group_id = string
  })
  default = null

  validation {
    condition     = var.redis == null || can(regex("^vpc-[0-9a-f]{8,17}$", var.redis.vpc_id))
    error_message = "redis.vpc_id must be the id of a VPC."
  }

  validation {
    condition     = try(length(var.redis.subnet_ids) > 0 && alltrue([for id in var.redis.subnet_ids : can(regex("^subnet-[0-9a-f]{8,17}$", id))]), var.redis == null)
    error_message = "redis.subnet_ids must be ids of subnets, at least one."
  }

  validation {
    condition     = var.redis == null || can(regex("^cache\\.[a-z0-9]+\\.[a-z0-9]+$", var.redis.node_type))
    error_message = "redis.node_type must be a node type of ElastiCache, such as cache.t4g.micro."
  }

  validation {
    condition     = try(contains(["redis", "valkey"], var.redis.engine), var.redis == null)
    error_message = "redis.engine must be redis or valkey."
  }

  validation {
    condition     = try(var.redis.nodes >= 1 && var.redis.nodes <= 6, var.redis == null)
    error_message = "redis.nodes must be from 1 to 6."
  }

  validation {
    condition     = try(var.redis.rotation_days >= 1 && var.redis.rotation_days <= 90, var.redis == null)
    error_message = "redis.rotation_days must be from 1 to 90."
  }

  validation {
    condition     = try(endswith(var.redis.rotation_zip, ".zip") && fileexists(var.redis.rotation_zip), var.redis == null)
    error_message = "redis.rotation_zip must name an existing .zip file: python3 modules/security/rotation/package.py FILE.zip makes it."
  }

  validation {
    condition     = var.redis == null || can(regex("^sg-[0-9a-f]{8,17}$", var.redis.endpoint_security_group_id))
    error_message = "redis.endpoint_security_group_id must be the id of a security group."
  }
}

variable "block_public_s3" {
  description = "Whether no bucket of the account can be public. It covers the whole account: look for public buckets first."
  type        = bool
  default     = false
  nullable    = false
}

variable "database" {
  description = <<-EOT
    PostgreSQL on RDS, null for none: a parameter group with `rds.force_ssl = 1` for `family`. With `instance` the database itself is kept by
    this module (import it if it exists): encrypted, password in Secrets Manager by RDS, `performance_insights` on or off.
  EOT
  type = object({
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
  })
  default = null

  validation {
    condition     = var.database == null || can(regex("^postgres[0-9]{2}$", var.database.family))
    error_message = "database.family must be a family of PostgreSQL, such as postgres16."
  }

  validation {
    condition     = try(var.database.instance, null) == null || can(regex("^db\\.[a-z0-9]+\\.[a-z0-9]+$", var.database.instance.class))
    error_message = "database.instance.class must be a class of RDS, such as db.t4g.medium."
  }

  validation {
    condition     = try(var.database.instance.storage_gb >= 20, try(var.database.instance, null) == null)
    error_message = "database.instance.storage_gb must be at least 20."
  }

  validation {
    condition     = try(length(var.database.instance.security_group_ids) > 0, try(var.database.instance, null) == null)
    error_message = "database.instance.security_group_ids must name at least one group."
  }
}

variable "cloudtrail" {
  description = "Whether to record who did what: a trail over all regions, validated, to an encrypted, locked-down bucket and to CloudWatch Logs."
  type        = bool
  default     = false
  nullable    = false
}

variable "audit_retention_days" {
  description = "Days that the audit trail is kept, in the bucket and in its log group."
  type        = number
  default     = 365
  nullable    = false

  validation {
    condition     = contains([365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.audit_retention_days)
    error_message = "audit_retention_days must be at least 365, a period that CloudWatch Logs knows: 365, 400, 545, 731, 1096, 1827, …"
  }
}

variable "guardduty" {
  description = "GuardDuty, null for none (an organisation's administrator may own it): findings of at least `min_severity` (0 to 10) go to the topic."
  type = object({
    min_severity = optional(number, 4)
  })
  default = null

  validation {
    condition     = try(var.guardduty.min_severity >= 0 && var.guardduty.min_severity <= 10, var.guardduty == null)
    error_message = "guardduty.min_severity must be from 0 to 10."
  }
}

variable "security_hub" {
  description = "Whether to turn on Security Hub with the AWS Foundational Security Best Practices."
  type        = bool
  default     = false
  nullable    = false
}

variable "task_roles" {
  description = <<-EOT
    Roles of ECS services by name, split in two: the execution role pulls images (`repository_arns`), writes logs (`log_group_arns`) and reads
    the secrets that are injected (`secrets`: ARN by environment variable); the task role is what the application itself may do
    (`actions`: lists of actions by ARN), nothing by default.
  EOT
  type = map(object({
    repository_arns = optional(set(string), [])
    log_group_arns  = set(string)
    secrets         = optional(map(string), {})
    actions         = optional(map(list(string)), {})
  }))
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for name in keys(var.task_roles) : can(regex("^[a-z][a-z0-9-]{1,30}$", name))])
    error_message = "task_roles must be named with 2 to 31 lower-case letters, digits and hyphens."
  }

  validation {
    condition     = alltrue(flatten([for role in values(var.task_roles) : [for name, arn in role.secrets : can(regex("^[A-Z][A-Z0-9_]*$", name)) && can(regex("^arn:aws[a-z-]*:secretsmanager:", arn))]]))
    error_message = "task_roles: secrets must be ARNs of Secrets Manager by upper-case environment variable."
  }

  validation {
    condition     = alltrue(flatten([for role in values(var.task_roles) : [for arn, actions in role.actions : arn != "*" && alltrue([for action in actions : !strcontains(action, "*")])]]))
    error_message = "task_roles: actions must name actions and ARNs, without a bare * and without wildcards in actions."
  }

  validation {
    condition     = alltrue(flatten([for role in values(var.task_roles) : [for arn in setunion(role.repository_arns, role.log_group_arns) : can(regex("^arn:aws[a-z-]*:(ecr|logs):", arn))]]))
    error_message = "task_roles: repository_arns and log_group_arns must be ARNs of ECR repositories and log groups."
  }
}
