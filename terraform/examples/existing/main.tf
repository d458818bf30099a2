# Adopts what exists by its name: the first plan shows what would change, and nothing is made twice. Delete the import blocks after the
# first apply. What is not there yet is created, once its import block is removed.

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
    create_queues       = false
    deletion_protection = var.deletion_protection
  }

  observability = {
    clusters   = { for name in var.clusters : name => {} }
    log_groups = { for name in var.audit_log_groups : name => { class = "audit", exists = true } }
    dashboard  = false
  }

  storage = length(var.buckets) == 0 ? null : { buckets = var.buckets }
}
