variable "namespace" {
  description = "First part of every name."
  type        = string
  default     = "huntaze"
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

variable "deletion_protection" {
  description = "Whether the tables refuse to be deleted."
  type        = bool
  default     = true
  nullable    = false
}

variable "clusters" {
  description = "ECS clusters to adopt."
  type        = set(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for name in var.clusters : can(regex("^[A-Za-z0-9_-]{1,255}$", name))])
    error_message = "clusters must be named with letters, digits, hyphens and underscores."
  }
}

variable "audit_log_groups" {
  description = "Audit log groups to adopt; they are kept for a year, or longer if they are already."
  type        = set(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for name in var.audit_log_groups : can(regex("^[A-Za-z0-9_/.#-]{1,512}$", name))])
    error_message = "audit_log_groups must be named as in CloudWatch Logs."
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
