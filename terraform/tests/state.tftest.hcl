# modules/state: the bucket of the state.

mock_provider "aws" {}

variables {
  namespace   = "huntaze"
  environment = "production"
  account_id  = "123456789012"
}

run "bucket" {
  command = plan

  module {
    source = "./modules/state"
  }

  assert {
    condition     = aws_s3_bucket.state.bucket == "huntaze-terraform-state-production-123456789012" && aws_s3_bucket_versioning.state.versioning_configuration[0].status == "Enabled"
    error_message = "a versioned bucket named after the account"
  }

  assert {
    condition     = one(aws_s3_bucket_server_side_encryption_configuration.state.rule).apply_server_side_encryption_by_default[0].sse_algorithm == "aws:kms" && aws_s3_bucket_public_access_block.state.restrict_public_buckets
    error_message = "encrypted, not public"
  }
}

run "refuses_bad_values" {
  command = plan

  module {
    source = "./modules/state"
  }

  variables {
    namespace          = "Huntaze"
    environment        = "p"
    account_id         = "1234"
    tags               = { "aws:team" = "search" }
    kept_versions_days = 7
  }

  expect_failures = [var.namespace, var.environment, var.account_id, var.tags, var.kept_versions_days]
}
