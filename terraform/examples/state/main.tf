# The bucket for the state of everything else. Its own state begins on your disk and moves into the bucket: see the README.

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
  region              = var.region
  allowed_account_ids = [var.account_id]
}

module "state" {
  source = "../../modules/state"

  namespace   = var.namespace
  environment = var.environment
  account_id  = var.account_id
}
