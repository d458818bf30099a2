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

variable "zip_path" {
  description = "The packaged function: a zip with the executable `bootstrap` (provided.al2023, arm64)."
  type        = string
  nullable    = false

  validation {
    condition     = endswith(var.zip_path, ".zip") && fileexists(var.zip_path)
    error_message = "zip_path must name an existing .zip file."
  }
}

variable "queue_arn" {
  description = "Queue of the messages that wait to be sent."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^arn:aws[a-z-]*:sqs:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]{1,80}(\\.fifo)?$", var.queue_arn))
    error_message = "queue_arn must be the ARN of an SQS queue."
  }
}

variable "reserved_concurrency" {
  description = "How many copies of the function may run. The rate is kept in Redis whatever this is; 1 keeps messages in order of arrival."
  type        = number
  default     = 1
  nullable    = false

  validation {
    condition     = var.reserved_concurrency >= 1 && var.reserved_concurrency <= 100
    error_message = "reserved_concurrency must be from 1 to 100."
  }
}

variable "accept_throttled_receives" {
  description = <<-EOT
    Whether you know the trap of a standard queue with a reserved concurrency below 2: Lambda polls with at least two readers, a reader that
    is refused still counts as a receive, and a valid message can reach the dead-letter queue. False warns at every plan; the dead-letter
    alarm of the monitor tells when it happens.
  EOT
  type        = bool
  default     = false
  nullable    = false
}

variable "batch_size" {
  description = "Messages of one call. Those that fail are reported one by one and come again alone."
  type        = number
  default     = 10
  nullable    = false

  validation {
    condition     = var.batch_size >= 1 && var.batch_size <= 10
    error_message = "batch_size must be from 1 to 10."
  }
}

variable "timeout_seconds" {
  description = "Time of one call. The queue's visibility timeout has to be at least six times this."
  type        = number
  default     = 60
  nullable    = false

  validation {
    condition     = var.timeout_seconds >= 1 && var.timeout_seconds <= 900
    error_message = "timeout_seconds must be from 1 to 900."
  }
}

variable "vpc_id" {
  description = "VPC of the Redis."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^vpc-[0-9a-f]{8,17}$", var.vpc_id))
    error_message = "vpc_id must be the id of a VPC."
  }
}

variable "subnet_ids" {
  description = "Private subnets of the function."
  type        = set(string)
  nullable    = false

  validation {
    condition     = length(var.subnet_ids) > 0 && alltrue([for id in var.subnet_ids : can(regex("^subnet-[0-9a-f]{8,17}$", id))])
    error_message = "subnet_ids must be ids of subnets, at least one."
  }
}

variable "redis" {
  description = "Where the limits are kept: `endpoint`, `port`, `security_group_id`, the only group that the function can reach, and `secret_name`, the secret with the AUTH token, if there is one."
  type = object({
    endpoint          = string
    port              = optional(number, 6379)
    security_group_id = string
    secret_name       = optional(string)
  })
  nullable = false

  validation {
    condition     = can(regex("^sg-[0-9a-f]{8,17}$", var.redis.security_group_id))
    error_message = "redis.security_group_id must be the id of a security group."
  }

  validation {
    condition     = var.redis.port >= 1 && var.redis.port <= 65535
    error_message = "redis.port must be from 1 to 65535."
  }

  validation {
    condition     = var.redis.secret_name == null || can(regex("^[A-Za-z0-9/_+=.@-]{1,512}$", var.redis.secret_name))
    error_message = "redis.secret_name must be the name of a secret, not its ARN."
  }
}

variable "secrets_endpoint" {
  description = "The VPC's interface endpoint of Secrets Manager, by its `security_group_id`: needed to read `redis.secret_name`. Null keeps the function from reaching anything but Redis."
  type        = object({ security_group_id = string })
  default     = null

  validation {
    condition     = var.secrets_endpoint == null || can(regex("^sg-[0-9a-f]{8,17}$", var.secrets_endpoint.security_group_id))
    error_message = "secrets_endpoint.security_group_id must be the id of a security group."
  }
}

variable "log_retention_days" {
  description = "Days that the function's log is kept."
  type        = number
  default     = 30
  nullable    = false

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "log_retention_days must be a period that CloudWatch Logs knows: 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, …"
  }
}
