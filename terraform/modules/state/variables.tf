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

variable "kept_versions_days" {
  description = "Days that replaced versions of the state are kept: how far back a broken state can be restored."
  type        = number
  default     = 90
  nullable    = false

  validation {
    condition     = var.kept_versions_days >= 30
    error_message = "kept_versions_days must be at least 30."
  }
}
