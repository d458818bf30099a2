variable "namespace" {
  description = "First part of every name: `huntaze` gives `huntaze-cost-alerts`."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,19}$", var.namespace))
    error_message = "namespace must be 2 to 20 lower-case letters, digits and hyphens, and begin with a letter."
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

variable "services" {
  description = <<-EOT
    ECS services by `CLUSTER/SERVICE`: `min` and `max` tasks, `cpu_percent` and `memory_percent`, the averages to hold. With `managed` the service
    itself is kept by this module (import it if it exists), with a deployment circuit breaker that rolls back: `task_definition`,
    `subnet_ids`, `security_group_ids`, `target_group_arn`, `container_name`, `container_port`. Without it only the number of tasks is scaled.
  EOT
  type = map(object({
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
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for key in keys(var.services) : can(regex("^[A-Za-z0-9_-]+/[A-Za-z0-9_-]+$", key))])
    error_message = "services must be named CLUSTER/SERVICE."
  }

  validation {
    condition     = alltrue([for service in values(var.services) : service.min >= 0 && service.min <= service.max && service.max >= 1])
    error_message = "services: min must not be above max, and max at least 1."
  }

  validation {
    condition     = alltrue([for service in values(var.services) : service.cpu_percent >= 10 && service.cpu_percent <= 100 && service.memory_percent >= 10 && service.memory_percent <= 100])
    error_message = "services: cpu_percent and memory_percent must be from 10 to 100."
  }

  validation {
    condition     = alltrue([for service in values(var.services) : service.managed == null ? true : length(service.managed.subnet_ids) > 0 && length(service.managed.security_group_ids) > 0])
    error_message = "services: a managed service needs at least one subnet and one security group."
  }

  validation {
    condition     = alltrue([for service in values(var.services) : try(service.managed.target_group_arn, null) == null ? true : service.managed.container_name != null && service.managed.container_port != null])
    error_message = "services: target_group_arn needs container_name and container_port."
  }
}

variable "cooldown_seconds" {
  description = "Seconds between two changes of the number of tasks: `out` for more, `in` for fewer."
  type = object({
    out = optional(number, 60)
    in  = optional(number, 300)
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.cooldown_seconds.out >= 0 && var.cooldown_seconds.in >= 0
    error_message = "cooldown_seconds must not be negative."
  }
}
