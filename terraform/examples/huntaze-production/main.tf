# Everything, for Huntaze in production. docs/rollout.md says in which order.

terraform {
  required_version = ">= 1.10.0"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.80.0, < 6.0.0"
    }
  }
}

provider "aws" {
  region              = local.region
  allowed_account_ids = [var.account_id]

  default_tags {
    tags = {
      system      = "finops"
      environment = local.environment
      managed-by  = "terraform"
    }
  }
}

locals {
  namespace   = "huntaze"
  environment = "production"
  region      = "us-east-1"
  clusters    = ["ai-team", "huntaze-cluster", "huntaze-of-fargate"]
}

module "finops" {
  source = "../.."

  namespace   = local.namespace
  environment = local.environment
  account_id  = var.account_id
  region      = local.region

  orchestrator = {
    email_subscriptions = var.emails
    slack               = var.slack
    budget              = { limit_usd = var.monthly_budget_usd }
    anomaly             = { absolute_usd = 10, percent = 20, monitor_arn = var.anomaly_monitor_arn }
  }

  monitor = {
    zip_path         = var.monitor_zip
    every_minutes    = 60
    secrets          = ["slack-webhook"]
    assume_role_arns = var.assume_role_arns
  }

  rate_limiter = {
    zip_path   = var.limiter_zip
    vpc_id     = var.vpc_id
    subnet_ids = var.private_subnet_ids
    # One copy on a standard queue, as agreed: the alarm on its dead-letter queue tells if messages were refused.
    accept_throttled_receives = true
  }

  security = {
    redis = {
      vpc_id       = var.vpc_id
      subnet_ids   = var.private_subnet_ids
      rotation_zip = var.rotation_zip
    }
    block_public_s3 = true
    database = {
      family = "postgres16"
      # One or none: a condition would give "none" the type of an instance without its fields.
      instance = one([for database in var.database[*] : merge(database, { performance_insights = true })])
    }
    cloudtrail   = true
    guardduty    = { min_severity = 4 }
    security_hub = true
    task_roles   = var.task_roles
  }

  observability = {
    clusters       = { for name in local.clusters : name => {} }
    services       = { for key in keys(var.services) : key => {} }
    load_balancers = var.load_balancers
    log_groups     = var.log_groups
    collector      = var.otlp_endpoint == null ? null : { endpoint = var.otlp_endpoint }
  }

  scaling = {
    services = var.services
  }

  network = {
    vpc_id              = var.vpc_id
    route_table_ids     = var.private_route_table_ids
    interface_endpoints = ["elasticache", "secretsmanager"]
    subnet_ids          = var.private_subnet_ids
    nat_gb_per_month    = var.nat_gb_per_month
  }

  storage = length(var.buckets) == 0 ? null : { buckets = var.buckets }
}
