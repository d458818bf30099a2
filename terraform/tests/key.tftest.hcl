# modules/key: one key, for this account and the services that need it.

mock_provider "aws" {}

variables {
  namespace   = "huntaze"
  environment = "production"
  account_id  = "123456789012"
  region      = "us-east-1"
}

run "rotates_and_waits_before_deletion" {
  command = plan

  module {
    source = "./modules/key"
  }

  assert {
    condition     = aws_kms_key.this.enable_key_rotation && aws_kms_key.this.deletion_window_in_days == 30
    error_message = "the key must rotate and wait 30 days before it is deleted"
  }

  assert {
    condition     = aws_kms_alias.this.name == "alias/huntaze-finops-production"
    error_message = "the alias follows from namespace and environment"
  }
}

run "binds_each_service" {
  command = plan

  module {
    source = "./modules/key"
  }

  assert {
    condition = alltrue([
      for statement in jsondecode(aws_kms_key.this.policy).Statement : can(statement.Condition)
      if can(statement.Principal.Service)
    ])
    error_message = "a service without a condition could be used by other accounts"
  }

  assert {
    condition = length(setsubtract(
      ["budgets.amazonaws.com", "cloudtrail.amazonaws.com", "cloudwatch.amazonaws.com", "costalerts.amazonaws.com", "events.amazonaws.com", "logs.us-east-1.amazonaws.com"],
      [for statement in jsondecode(aws_kms_key.this.policy).Statement : statement.Principal.Service if can(statement.Principal.Service)],
    )) == 0
    error_message = "every service that writes to the topic, the trail or the logs needs the key"
  }
}

run "knows_other_partitions" {
  command = plan

  module {
    source = "./modules/key"
  }

  variables {
    region = "us-gov-west-1"
  }

  assert {
    condition     = jsondecode(aws_kms_key.this.policy).Statement[0].Principal.AWS == "arn:aws-us-gov:iam::123456789012:root"
    error_message = "the partition follows from the region"
  }
}

run "refuses_bad_values" {
  command = plan

  module {
    source = "./modules/key"
  }

  variables {
    namespace            = "Huntaze"
    environment          = "p"
    account_id           = "1234"
    region               = "Virginia"
    tags                 = { "aws:team" = "search" }
    deletion_window_days = 3
  }

  expect_failures = [var.namespace, var.environment, var.account_id, var.region, var.tags, var.deletion_window_days]
}
