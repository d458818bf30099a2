# modules/storage: Intelligent-Tiering that leaves other rules as they are.

mock_provider "aws" {}

variables {
  namespace = "huntaze"
}

run "archive_tiers" {
  command = plan

  module {
    source = "./modules/storage"
  }

  variables {
    buckets = { media = { archive_days = 90, deep_archive_days = 180, prefix = "old/" }, logs = { archive_days = 120 } }
  }

  assert {
    condition     = { for tier in aws_s3_bucket_intelligent_tiering_configuration.this["media"].tiering : tier.access_tier => tier.days } == { ARCHIVE_ACCESS = 90, DEEP_ARCHIVE_ACCESS = 180 }
    error_message = "both archive tiers"
  }

  assert {
    condition     = length(aws_s3_bucket_intelligent_tiering_configuration.this["logs"].tiering) == 1 && length(aws_s3_bucket_intelligent_tiering_configuration.this["logs"].filter) == 0 && aws_s3_bucket_intelligent_tiering_configuration.this["media"].filter[0].prefix == "old/"
    error_message = "only what is asked for"
  }

  assert {
    condition     = length(aws_s3_bucket_lifecycle_configuration.this) == 0
    error_message = "lifecycle rules are not touched"
  }
}

run "other_rules_stay" {
  command = plan

  module {
    source = "./modules/storage"
  }

  variables {
    buckets = {
      exports = {
        transition_days = 30
        other_rules = [
          { id = "temporary", prefix = "tmp/", expiration_days = 7 },
          { id = "old", enabled = false, noncurrent_version_expiration_days = 90, abort_incomplete_upload_days = 3, transitions = { GLACIER = 60 } },
        ]
      }
    }
  }

  assert {
    condition     = aws_s3_bucket_lifecycle_configuration.this["exports"].rule[*].id == tolist(["temporary", "old", "huntaze-finops-intelligent-tiering"])
    error_message = "the given rules are written back, ours comes last"
  }

  assert {
    condition = alltrue([
      aws_s3_bucket_lifecycle_configuration.this["exports"].rule[0].expiration[0].days == 7,
      aws_s3_bucket_lifecycle_configuration.this["exports"].rule[0].filter[0].prefix == "tmp/",
      aws_s3_bucket_lifecycle_configuration.this["exports"].rule[1].status == "Disabled",
      aws_s3_bucket_lifecycle_configuration.this["exports"].rule[1].noncurrent_version_expiration[0].noncurrent_days == 90,
      aws_s3_bucket_lifecycle_configuration.this["exports"].rule[1].abort_incomplete_multipart_upload[0].days_after_initiation == 3,
      one(aws_s3_bucket_lifecycle_configuration.this["exports"].rule[1].transition).days == 60,
      one(aws_s3_bucket_lifecycle_configuration.this["exports"].rule[2].transition).storage_class == "INTELLIGENT_TIERING",
    ])
    error_message = "every field of a rule survives"
  }
}

run "refuses_a_bad_namespace" {
  command = plan

  module {
    source = "./modules/storage"
  }

  variables {
    namespace = "Huntaze"
  }

  expect_failures = [var.namespace]
}

run "refuses_a_bad_bucket" {
  command = plan

  module {
    source = "./modules/storage"
  }

  variables {
    buckets = { Media = {} }
  }

  expect_failures = [var.buckets]
}

run "refuses_an_early_archive" {
  command = plan

  module {
    source = "./modules/storage"
  }

  variables {
    buckets = { media = { archive_days = 30 } }
  }

  expect_failures = [var.buckets]
}

run "refuses_an_early_deep_archive" {
  command = plan

  module {
    source = "./modules/storage"
  }

  variables {
    buckets = { media = { deep_archive_days = 100 } }
  }

  expect_failures = [var.buckets]
}

run "refuses_archives_in_the_wrong_order" {
  command = plan

  module {
    source = "./modules/storage"
  }

  variables {
    buckets = { media = { archive_days = 200, deep_archive_days = 190 } }
  }

  expect_failures = [var.buckets]
}

run "refuses_to_replace_rules_it_does_not_know" {
  command = plan

  module {
    source = "./modules/storage"
  }

  variables {
    buckets = { media = { transition_days = 30 } }
  }

  expect_failures = [var.buckets]
}

run "refuses_a_negative_transition" {
  command = plan

  module {
    source = "./modules/storage"
  }

  variables {
    buckets = { media = { transition_days = -1, other_rules = [] } }
  }

  expect_failures = [var.buckets]
}

run "refuses_its_own_ids" {
  command = plan

  module {
    source = "./modules/storage"
  }

  variables {
    buckets = { media = { transition_days = 1, other_rules = [{ id = "huntaze-finops-other" }] } }
  }

  expect_failures = [var.buckets]
}

run "refuses_an_unknown_class" {
  command = plan

  module {
    source = "./modules/storage"
  }

  variables {
    buckets = { media = { transition_days = 1, other_rules = [{ id = "other", transitions = { TAPE = 1 } }] } }
  }

  expect_failures = [var.buckets]
}
