variable "namespace" {
  description = "First part of every name."
  type        = string
  default     = "acme"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,19}$", var.namespace))
    error_message = "namespace must be 2 to 20 lower-case letters, digits and hyphens, and begin with a letter."
  }
}

variable "environment" {
  description = "Last part of the names that differ between installations."
  type        = string
  default     = "production"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,19}$", var.environment))
    error_message = "environment must be 2 to 20 lower-case letters, digits and hyphens, and begin with a letter."
  }
}

variable "account_id" {
  description = "The AWS account to deploy to; with other credentials nothing happens."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[0-9]{12}$", var.account_id))
    error_message = "account_id must be the twelve digits of an AWS account."
  }
}

variable "region" {
  description = "The region to deploy to."
  type        = string
  default     = "us-east-1"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "region must be the name of an AWS region, such as us-east-1."
  }
}

variable "email" {
  description = "Who is told. AWS sends a message that has to be confirmed."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[^@ ]+@[^@ ]+\\.[^@ ]+$", var.email))
    error_message = "email must be an address, such as finops@example.com."
  }
}

variable "monthly_budget_usd" {
  description = "Monthly budget of the account in USD: 80 % forecast and 100 % actual are told."
  type        = number
  default     = 100
  nullable    = false

  validation {
    condition     = var.monthly_budget_usd > 0
    error_message = "monthly_budget_usd must be above zero."
  }
}

variable "monitor_zip" {
  description = "The packaged finops-monitor: a zip with `bootstrap`, `finops.toml` and `policies/`."
  type        = string
  nullable    = false

  validation {
    condition     = endswith(var.monitor_zip, ".zip") && fileexists(var.monitor_zip)
    error_message = "monitor_zip must name an existing .zip file."
  }
}

variable "deletion_protection" {
  description = "Whether the tables refuse to be deleted. Apply with false before a destroy that is meant."
  type        = bool
  default     = true
  nullable    = false
}
