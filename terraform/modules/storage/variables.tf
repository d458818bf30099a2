variable "namespace" {
  description = "First part of every name: `huntaze` gives `huntaze-cost-alerts`."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,19}$", var.namespace))
    error_message = "namespace must be 2 to 20 lower-case letters, digits and hyphens, and begin with a letter."
  }
}

variable "buckets" {
  description = <<-EOT
    Buckets by name. `archive_days` and `deep_archive_days`: when untouched objects move to the archive tiers of Intelligent-Tiering (null: never).
    `transition_days`: a lifecycle rule that moves objects of other classes to Intelligent-Tiering after so many days (null: no rule).
    S3 keeps ONE set of lifecycle rules per bucket and a write replaces it whole. So whoever sets `transition_days` must say what else is in
    it: `other_rules`, an empty list for none. They are written back as they are. Import the present configuration first (see the README);
    then the plan shows a rule that was forgotten as removed, before anything happens. `prefix` limits both to a part of the bucket.
  EOT
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
    condition     = alltrue([for name in keys(var.buckets) : can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", name))])
    error_message = "buckets must be named as in S3: 3 to 63 lower-case letters, digits, dots and hyphens."
  }

  validation {
    condition     = alltrue([for bucket in values(var.buckets) : bucket.archive_days == null ? true : bucket.archive_days >= 90 && bucket.archive_days <= 730])
    error_message = "buckets: archive_days must be from 90 to 730."
  }

  validation {
    condition     = alltrue([for bucket in values(var.buckets) : bucket.deep_archive_days == null ? true : bucket.deep_archive_days >= 180 && bucket.deep_archive_days <= 730])
    error_message = "buckets: deep_archive_days must be from 180 to 730."
  }

  validation {
    condition     = alltrue([for bucket in values(var.buckets) : bucket.archive_days == null || bucket.deep_archive_days == null ? true : bucket.archive_days < bucket.deep_archive_days])
    error_message = "buckets: archive_days must be below deep_archive_days."
  }

  validation {
    condition     = alltrue([for bucket in values(var.buckets) : bucket.transition_days == null || bucket.other_rules != null])
    error_message = "buckets: transition_days replaces the whole set of lifecycle rules; list the others in other_rules (an empty list if there are none)."
  }

  validation {
    condition     = alltrue([for bucket in values(var.buckets) : bucket.transition_days == null ? true : bucket.transition_days >= 0 && floor(bucket.transition_days) == bucket.transition_days])
    error_message = "buckets: transition_days must be a whole number, not negative."
  }

  validation {
    condition     = alltrue(flatten([for bucket in values(var.buckets) : [for rule in coalesce(bucket.other_rules, []) : !startswith(rule.id, "${var.namespace}-finops-")]]))
    error_message = "buckets: other_rules must not use ids that begin with NAMESPACE-finops-, they are ours."
  }

  validation {
    condition = alltrue(flatten([for bucket in values(var.buckets) : [for rule in coalesce(bucket.other_rules, []) : alltrue([
      for class in keys(rule.transitions) : contains(["STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING", "GLACIER_IR", "GLACIER", "DEEP_ARCHIVE"], class)
    ])]]))
    error_message = "buckets: transitions of other_rules must be by storage class, such as GLACIER."
  }
}
