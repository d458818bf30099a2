# The smallest installation that tells someone: queues, tables, topic, a budget and the scheduled job.

terraform {
  required_version = ">= 1.9.0"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.80.0, < 6.0.0"
    }
  }
}

provider "aws" {
  region              = var.region
  allowed_account_ids = [var.account_id]
}

module "finops" {
  source = "../.."

  namespace   = var.namespace
  environment = var.environment
  account_id  = var.account_id
  region      = var.region

  orchestrator = {
    email_subscriptions = [var.email]
    budget              = { limit_usd = var.monthly_budget_usd }
    deletion_protection = var.deletion_protection
  }

  monitor = {
    zip_path = var.monitor_zip
  }
}
