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
  description = "Topic that the alarms publish to."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^arn:aws[a-z-]*:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]+$", var.topic_arn))
    error_message = "topic_arn must be the ARN of an SNS topic."
  }
}

variable "clusters" {
  description = "ECS clusters to keep with Container Insights on, by name. Import those that exist; `enhanced` adds metrics of tasks and containers, for a price."
  type        = map(object({ container_insights = optional(string, "enabled") }))
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for name in keys(var.clusters) : can(regex("^[A-Za-z0-9_-]{1,255}$", name))])
    error_message = "clusters must be named with letters, digits, hyphens and underscores."
  }

  validation {
    condition     = alltrue([for cluster in values(var.clusters) : contains(["enabled", "enhanced"], cluster.container_insights)])
    error_message = "clusters: container_insights must be enabled or enhanced."
  }
}

variable "services" {
  description = "ECS services to alarm on, by `CLUSTER/SERVICE`: averages of processor and memory in percent over three periods of five minutes."
  type = map(object({
    cpu_percent    = optional(number, 85)
    memory_percent = optional(number, 90)
  }))
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for key in keys(var.services) : can(regex("^[A-Za-z0-9_-]+/[A-Za-z0-9_-]+$", key))])
    error_message = "services must be named CLUSTER/SERVICE."
  }

  validation {
    condition     = alltrue([for service in values(var.services) : service.cpu_percent > 0 && service.cpu_percent <= 100 && service.memory_percent > 0 && service.memory_percent <= 100])
    error_message = "services: percentages must be above 0 and at most 100."
  }
}

variable "load_balancers" {
  description = "Application load balancers to alarm on, by a name of your choice: `arn_suffix` (app/NAME/ID) and `requests_per_minute`, the count above which someone should look."
  type = map(object({
    arn_suffix          = string
    requests_per_minute = number
  }))
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for balancer in values(var.load_balancers) : can(regex("^app/[A-Za-z0-9-]+/[0-9a-f]+$", balancer.arn_suffix))])
    error_message = "load_balancers: arn_suffix must be the end of the ARN, app/NAME/ID."
  }

  validation {
    condition     = alltrue([for balancer in values(var.load_balancers) : balancer.requests_per_minute > 0])
    error_message = "load_balancers: requests_per_minute must be above zero."
  }
}

variable "log_groups" {
  description = <<-EOT
    Log groups by name. `class` decides how long they are kept: `standard` (30 days), `critical` (90), `audit` (`audit_retention_days`). `exists`
    says that the group is there already (import it): then its present retention is read, and an audit group keeps the longer of both, so
    that audit logs are never shortened. Audit groups also survive a destroy.
  EOT
  type = map(object({
    class  = string
    exists = optional(bool, false)
  }))
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for group in values(var.log_groups) : contains(["standard", "critical", "audit"], group.class)])
    error_message = "log_groups: class must be standard, critical or audit."
  }

  validation {
    condition     = alltrue([for name in keys(var.log_groups) : can(regex("^[A-Za-z0-9_/.#-]{1,512}$", name))])
    error_message = "log_groups must be named as in CloudWatch Logs."
  }
}

variable "audit_retention_days" {
  description = "Days that audit logs are kept; 0 keeps them for ever."
  type        = number
  default     = 365
  nullable    = false

  validation {
    condition     = contains([0, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.audit_retention_days)
    error_message = "audit_retention_days must be 0 (for ever) or at least 365, a period that CloudWatch Logs knows: 365, 400, 545, 731, 1096, 1827, …"
  }
}

variable "dashboard" {
  description = "Whether to create the dashboard of spend, forecast and alerts."
  type        = bool
  default     = true
  nullable    = false
}

variable "metric_namespace" {
  description = "CloudWatch namespace that finops-monitor writes its metrics to."
  type        = string
  default     = "finops"
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9._/#:-]{1,255}$", var.metric_namespace)) && !startswith(var.metric_namespace, "AWS/")
    error_message = "metric_namespace must be a CloudWatch namespace of your own, not AWS/…"
  }
}

variable "collector" {
  description = "OpenTelemetry collector sidecar: its `image` with a version or digest, and the OTLP `endpoint` that traces and metrics go to. Null for none."
  type = object({
    image    = optional(string, "otel/opentelemetry-collector-contrib:0.116.1")
    endpoint = string
  })
  default = null

  validation {
    condition     = try(can(regex("(:[0-9][A-Za-z0-9._-]*|@sha256:[0-9a-f]{64})$", var.collector.image)), false) || var.collector == null
    error_message = "collector.image must name a version (not latest) or a digest."
  }

  validation {
    condition     = try(can(regex("^https://[^ ]+$", var.collector.endpoint)), false) || var.collector == null
    error_message = "collector.endpoint must begin with https://."
  }
}
