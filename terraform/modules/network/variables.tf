variable "namespace" {
  description = "First part of every name: `huntaze` gives `huntaze-cost-alerts`."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,19}$", var.namespace))
    error_message = "namespace must be 2 to 20 lower-case letters, digits and hyphens, and begin with a letter."
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

variable "vpc_id" {
  description = "VPC that the endpoints are for."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^vpc-[0-9a-f]{8,17}$", var.vpc_id))
    error_message = "vpc_id must be the id of a VPC."
  }
}

variable "route_table_ids" {
  description = "Route tables that reach S3 and DynamoDB through the gateway endpoints: all of the private ones. Gateway endpoints cost nothing."
  type        = set(string)
  nullable    = false

  validation {
    condition     = length(var.route_table_ids) > 0 && alltrue([for id in var.route_table_ids : can(regex("^rtb-[0-9a-f]{8,17}$", id))])
    error_message = "route_table_ids must be ids of route tables, at least one."
  }
}

variable "interface_endpoints" {
  description = "AWS services to reach through paid interface endpoints, such as `secretsmanager`; none by default. The output `break_even` says from what traffic one pays off."
  type        = set(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for service in var.interface_endpoints : can(regex("^[a-z0-9][a-z0-9.-]*$", service)) && !contains(["s3", "dynamodb"], service)])
    error_message = "interface_endpoints must be names of AWS services as in com.amazonaws.REGION.NAME; s3 and dynamodb have free gateway endpoints."
  }
}

variable "subnet_ids" {
  description = "Subnets of the interface endpoints, one for each zone; needed only with `interface_endpoints`."
  type        = set(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for id in var.subnet_ids : can(regex("^subnet-[0-9a-f]{8,17}$", id))])
    error_message = "subnet_ids must be ids of subnets."
  }

  validation {
    condition     = length(var.interface_endpoints) == 0 || length(var.subnet_ids) > 0
    error_message = "subnet_ids must name at least one subnet when interface_endpoints are asked for."
  }
}

variable "client_security_group_ids" {
  description = "Security groups that may use the interface endpoints, by a name of your choice."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for id in values(var.client_security_group_ids) : can(regex("^sg-[0-9a-f]{8,17}$", id))])
    error_message = "client_security_group_ids must be ids of security groups."
  }
}

variable "nat_gb_per_month" {
  description = "Measured traffic through the NAT gateway by service, in GB a month (NAT gateway metrics, VPC flow logs), for the break-even."
  type        = map(number)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for gb in values(var.nat_gb_per_month) : gb >= 0])
    error_message = "nat_gb_per_month must not be negative."
  }
}

variable "prices" {
  description = "Prices in USD of the region: an interface endpoint per hour and zone and per GB, a NAT gateway per GB. The defaults are those of us-east-1."
  type = object({
    endpoint_hour = optional(number, 0.01)
    endpoint_gb   = optional(number, 0.01)
    nat_gb        = optional(number, 0.045)
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.prices.endpoint_hour > 0 && var.prices.endpoint_gb >= 0 && var.prices.nat_gb > var.prices.endpoint_gb
    error_message = "prices must be positive, and nat_gb above endpoint_gb: otherwise an endpoint never pays off."
  }
}
