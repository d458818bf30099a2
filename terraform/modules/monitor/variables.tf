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
  description = "The packaged function: a zip with the executable `bootstrap` (provided.al2023, arm64), `finops.toml` and `policies/`."
  type        = string
  nullable    = false

  validation {
    condition     = endswith(var.zip_path, ".zip") && fileexists(var.zip_path)
    error_message = "zip_path must name an existing .zip file."
  }
}

variable "every_minutes" {
  description = "Minutes between two runs. The alarm on missed runs follows it."
  type        = number
  default     = 60
  nullable    = false

  validation {
    condition     = contains([5, 10, 15, 20, 30, 60, 120, 180, 240, 360, 480, 720, 1440], var.every_minutes)
    error_message = "every_minutes must divide a day: 5, 10, 15, 20, 30, 60, 120, 180, 240, 360, 480, 720 or 1440."
  }
}

variable "timeout_seconds" {
  description = "Time of one run. The program stops cleanly before it and goes on in the next run."
  type        = number
  default     = 300
  nullable    = false

  validation {
    condition     = var.timeout_seconds >= 30 && var.timeout_seconds <= 900
    error_message = "timeout_seconds must be from 30, of which a run keeps 10 in reserve, to 900, the most that Lambda allows."
  }
}

variable "memory_mb" {
  description = "Memory of the function; its share of a processor grows with it."
  type        = number
  default     = 256
  nullable    = false

  validation {
    condition     = var.memory_mb >= 128 && var.memory_mb <= 10240
    error_message = "memory_mb must be from 128 to 10240."
  }
}

variable "table_arns" {
  description = "Tables of the ledger."
  type        = set(string)
  nullable    = false

  validation {
    condition     = length(var.table_arns) > 0 && alltrue([for arn in var.table_arns : can(regex("^arn:aws[a-z-]*:dynamodb:[a-z0-9-]+:[0-9]{12}:table/[A-Za-z0-9_.-]+$", arn))])
    error_message = "table_arns must be ARNs of DynamoDB tables, at least one."
  }
}

variable "topic_arn" {
  description = "Topic that the function publishes alerts to, and its alarms too."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^arn:aws[a-z-]*:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]+$", var.topic_arn))
    error_message = "topic_arn must be the ARN of an SNS topic."
  }
}

variable "alarm_topic_arns" {
  description = "Further topics for the alarms, which help when the first one is what is broken: best one without its key, with an e-mail address."
  type        = set(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for arn in var.alarm_topic_arns : can(regex("^arn:aws[a-z-]*:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]+$", arn))]) && length(var.alarm_topic_arns) <= 4
    error_message = "alarm_topic_arns must be ARNs of SNS topics, at most four: an alarm has five actions."
  }
}

variable "assume_role_arns" {
  description = "Roles in further accounts that the function may assume to read their spend."
  type        = set(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for arn in var.assume_role_arns : can(regex("^arn:aws[a-z-]*:iam::[0-9]{12}:role/[A-Za-z0-9+=,.@_/-]+$", arn))])
    error_message = "assume_role_arns must be ARNs of IAM roles, without wildcards."
  }
}

variable "usage_buckets" {
  description = "Buckets whose model invocation logs are read, such as those of Bedrock. A bucket with a KMS key of its own needs a grant of that key."
  type        = set(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for name in var.usage_buckets : can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", name))])
    error_message = "usage_buckets must be names of S3 buckets."
  }
}

variable "athena" {
  description = "The cost and usage report that is read with Athena: workgroup, database and table, and the buckets of the report and of Athena's answers. Null for none."
  type        = object({ workgroup = string, database = string, table = string, buckets = set(string) })
  default     = null

  validation {
    condition     = var.athena == null || try(alltrue([for name in [var.athena.workgroup, var.athena.database, var.athena.table] : can(regex("^[A-Za-z0-9_.-]+$", name))]) && length(var.athena.buckets) > 0, false)
    error_message = "athena must name a workgroup, a database, a table and at least one bucket, without wildcards."
  }
}

variable "secrets" {
  description = "Names of secrets to create, such as `slack-webhook`. Put the values in by hand or by pipeline: they never pass through Terraform."
  type        = set(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for name in var.secrets : can(regex("^[a-z][a-z0-9-]{1,60}$", name))])
    error_message = "secrets must be lower-case names with digits and hyphens."
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

variable "dead_letter_queue_names" {
  description = "Further dead-letter queues to alarm on when a message arrives, by a name of your choice. The scheduler's own is always watched."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for name in values(var.dead_letter_queue_names) : can(regex("^[A-Za-z0-9_-]{1,80}(\\.fifo)?$", name))])
    error_message = "dead_letter_queue_names must be names of queues, not ARNs or URLs."
  }
}

variable "environment_variables" {
  description = "Further environment variables of the function, such as OTEL_EXPORTER_OTLP_ENDPOINT. No secrets: use `secrets`."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for key in keys(var.environment_variables) : can(regex("^[A-Z][A-Z0-9_]*$", key)) && !can(regex("(SECRET|PASSWORD|TOKEN|API_KEY|WEBHOOK)", key))])
    error_message = "environment_variables must be upper-case names, and none that looks like a secret."
  }
}

variable "permissions_file" {
  description = "File with the permissions that the code declares; null for the one of this repository (policies/permissions.json)."
  type        = string
  default     = null

  validation {
    condition     = var.permissions_file == null || can(jsondecode(file(var.permissions_file)))
    error_message = "permissions_file must be a readable JSON file."
  }
}
