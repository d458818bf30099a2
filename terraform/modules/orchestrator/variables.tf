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

variable "create_queues" {
  description = "Whether to create both queues with their dead-letter queues."
  type        = bool
  default     = true
  nullable    = false
}

variable "create_tables" {
  description = "Whether to create both DynamoDB tables."
  type        = bool
  default     = true
  nullable    = false
}

variable "max_receive_count" {
  description = "How often a message is received before it goes to the dead-letter queue."
  type        = number
  default     = 5
  nullable    = false

  validation {
    condition     = var.max_receive_count >= 1 && var.max_receive_count <= 1000 && floor(var.max_receive_count) == var.max_receive_count
    error_message = "max_receive_count must be a whole number from 1 to 1000."
  }
}

variable "visibility_timeout_seconds" {
  description = "How long a received message stays hidden. At least six times the timeout of the function that reads the queue."
  type        = number
  default     = 360
  nullable    = false

  validation {
    condition     = var.visibility_timeout_seconds >= 0 && var.visibility_timeout_seconds <= 43200
    error_message = "visibility_timeout_seconds must be from 0 to 43200 (12 hours)."
  }
}

variable "deletion_protection" {
  description = "Whether the tables refuse to be deleted. Turn it off in an apply of its own before a destroy that is meant."
  type        = bool
  default     = true
  nullable    = false
}

variable "point_in_time_recovery" {
  description = "Whether the tables can be restored to any second of the last 35 days."
  type        = bool
  default     = true
  nullable    = false
}

variable "email_subscriptions" {
  description = "Addresses that receive every alert. Each has to confirm the message that AWS sends, or receives nothing."
  type        = set(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for address in var.email_subscriptions : can(regex("^[^@ ]+@[^@ ]+\\.[^@ ]+$", address))])
    error_message = "email_subscriptions must be addresses, such as finops@example.com."
  }
}

variable "https_subscriptions" {
  description = "Addresses of web services that receive every alert and confirm the subscription themselves. Not for webhooks with a secret in the address: the state would hold it."
  type        = set(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for address in var.https_subscriptions : can(regex("^https://[^/@ ]+\\.[^/@ ]+", address))])
    error_message = "https_subscriptions must be addresses that begin with https:// and carry no user name."
  }
}

variable "slack" {
  description = "Slack channel that Amazon Q in chat applications posts to: `team_id` (the workspace, authorised once in the console) and `channel_id`. Null for none."
  type = object({
    team_id    = string
    channel_id = string
  })
  default = null

  validation {
    condition     = var.slack == null || can(regex("^[TE][A-Z0-9]{8,}$", var.slack.team_id))
    error_message = "slack.team_id must be the id of a Slack workspace, such as T0123ABCDEF."
  }

  validation {
    condition     = var.slack == null || can(regex("^[CG][A-Z0-9]{8,}$", var.slack.channel_id))
    error_message = "slack.channel_id must be the id of a Slack channel, such as C0123ABCDEF, not its name."
  }
}

variable "budget" {
  description = <<-EOT
    Monthly AWS Budget, null for none: `limit_usd`; `forecast_percent` and `actual_percent`, the thresholds that are told;
    `filters`, a list of values by dimension (`Service`, `LinkedAccount`, `TagKeyValue` as `user:Key$Value`). Credits and refunds are
    left out, because they would hide usage.
  EOT
  type = object({
    limit_usd        = number
    forecast_percent = optional(number, 80)
    actual_percent   = optional(number, 100)
    filters          = optional(map(list(string)), {})
  })
  default = null

  validation {
    condition     = try(var.budget.limit_usd > 0, var.budget == null)
    error_message = "budget.limit_usd must be above zero."
  }

  validation {
    condition     = try(alltrue([for percent in [var.budget.forecast_percent, var.budget.actual_percent] : percent > 0 && percent <= 1000]), var.budget == null)
    error_message = "budget.forecast_percent and budget.actual_percent must be above 0 and at most 1000."
  }

  validation {
    condition     = alltrue([for value in try(var.budget.filters["TagKeyValue"], []) : can(regex("^(user|aws):[^$]+\\$.*$", value))])
    error_message = "budget.filters.TagKeyValue must be written as user:Key$Value: anything else matches nothing, silently."
  }
}

variable "anomaly" {
  description = <<-EOT
    Cost Anomaly Detection, null for none: an anomaly is told when its impact is at least `absolute_usd` and at least `percent`. `monitor_arn`
    names the monitor if the account has one by service already (AWS allows one); without it one is created.
  EOT
  type = object({
    absolute_usd = optional(number, 10)
    percent      = optional(number, 20)
    monitor_arn  = optional(string)
  })
  default = null

  validation {
    condition     = try(var.anomaly.absolute_usd >= 0 && var.anomaly.percent >= 0, var.anomaly == null)
    error_message = "anomaly.absolute_usd and anomaly.percent must not be negative."
  }

  validation {
    condition     = try(var.anomaly.monitor_arn, null) == null || can(regex("^arn:aws[a-z-]*:ce::[0-9]{12}:anomalymonitor/", var.anomaly.monitor_arn))
    error_message = "anomaly.monitor_arn must be the ARN of an anomaly monitor."
  }
}
