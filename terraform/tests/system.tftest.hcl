# The whole: every module has a switch, and settings that do not fit together are refused.

mock_provider "aws" {
  # What ElastiCache takes as a token.
  mock_data "aws_secretsmanager_random_password" {
    defaults = { random_password = "0123456789abcdefghijklmnopqrstuv" }
  }
}

override_module {
  target  = module.key
  outputs = { arn = "arn:aws:kms:us-east-1:123456789012:key/00000000-0000-0000-0000-000000000000", alias = "alias/huntaze-finops-production" }
}

variables {
  namespace   = "huntaze"
  environment = "production"
  account_id  = "123456789012"
  region      = "us-east-1"
}

run "orchestrator_alone" {
  command = plan

  assert {
    condition     = length(module.key) == 1 && output.topic_arn == "arn:aws:sns:us-east-1:123456789012:huntaze-cost-alerts"
    error_message = "queues, tables and topic stand alone, with a key of their own"
  }

  assert {
    condition     = output.monitor == null && output.rate_limiter == null && output.security == null && output.observability == null && output.scaling == null && output.network == null && output.storage == null
    error_message = "what is not asked for is left out"
  }
}

run "a_key_that_exists" {
  command = plan

  variables {
    kms_key_arn = "arn:aws:kms:us-east-1:123456789012:key/11111111-1111-1111-1111-111111111111"
  }

  assert {
    condition     = length(module.key) == 0 && output.kms_key_arn == var.kms_key_arn
    error_message = "the given key is used"
  }
}

run "monitor_only" {
  command = plan

  variables {
    monitor = { zip_path = "./tests/function.zip" }
  }

  assert {
    condition     = output.monitor.function_arn == "arn:aws:lambda:us-east-1:123456789012:function:finops-monitor" && output.security == null
    error_message = "one switch, one module"
  }

  assert {
    condition     = length(module.monitor[0].alarm_names) == 9
    error_message = "errors, throttles, missed runs and three dead-letter queues are watched"
  }
}

run "monitor_with_tables_made_elsewhere" {
  command = plan

  variables {
    orchestrator = { create_tables = false, create_queues = false }
    monitor      = { zip_path = "./tests/function.zip", table_arns = ["arn:aws:dynamodb:us-east-1:123456789012:table/other"] }
  }

  assert {
    condition     = length(output.table_names) == 0 && length(module.monitor[0].alarm_names) == 7
    error_message = "no table is made, and no queue is watched but the scheduler's"
  }
}

run "security_only" {
  command = plan

  variables {
    security = { cloudtrail = true, guardduty = {}, security_hub = true, block_public_s3 = true }
  }

  assert {
    condition     = output.security.redis == null && output.monitor == null
    error_message = "one switch, one module"
  }
}

run "observability_only" {
  command = plan

  variables {
    observability = { clusters = { ai-team = {} } }
  }

  assert {
    condition     = output.observability.dashboard_name == "huntaze-finops-production"
    error_message = "one switch, one module"
  }
}

run "scaling_only" {
  command = plan

  variables {
    scaling = { services = { "huntaze-cluster/web" = { min = 1, max = 2 } } }
  }

  assert {
    condition     = output.scaling.resource_ids == { "huntaze-cluster/web" = "service/huntaze-cluster/web" }
    error_message = "one switch, one module"
  }
}

run "network_only" {
  command = plan

  variables {
    network = { vpc_id = "vpc-0123456789abcdef0", route_table_ids = ["rtb-0123456789abcdef0"] }
  }

  assert {
    condition     = output.network.endpoint_security_group_id == null && floor(output.network.break_even.gb_per_month) == 208
    error_message = "gateways only; the break-even of one zone is 7.30 USD / 0.035 USD = 208.6 GB"
  }
}

run "storage_only" {
  command = plan

  variables {
    storage = { buckets = { media = { archive_days = 90 } } }
  }

  assert {
    condition     = output.storage.archived_buckets == tolist(["media"])
    error_message = "one switch, one module"
  }
}

run "rate_limiter_with_its_redis" {
  command = plan

  variables {
    rate_limiter = {
      zip_path                  = "./tests/function.zip"
      vpc_id                    = "vpc-0123456789abcdef0"
      subnet_ids                = ["subnet-0123456789abcdef0"]
      accept_throttled_receives = true
    }
    security = {
      redis = { vpc_id = "vpc-0123456789abcdef0", subnet_ids = ["subnet-0123456789abcdef0"], rotation_zip = "./tests/function.zip" }
    }
    network = {
      vpc_id              = "vpc-0123456789abcdef0"
      route_table_ids     = ["rtb-0123456789abcdef0"]
      subnet_ids          = ["subnet-0123456789abcdef0"]
      interface_endpoints = ["secretsmanager", "elasticache"]
    }
  }

  assert {
    condition     = output.rate_limiter.function_name == "finops-limiter" && output.security.redis.secret_name == "huntaze/production/redis-auth"
    error_message = "the limiter takes Redis from security and the endpoints from network"
  }
}

run "refuses_bad_values" {
  command = plan

  variables {
    namespace   = "Huntaze"
    environment = "p"
    account_id  = "1234"
    region      = "Virginia"
    tags        = { "aws:team" = "search" }
    kms_key_arn = "alias/key"
  }

  expect_failures = [var.namespace, var.environment, var.account_id, var.region, var.tags, var.kms_key_arn]
}

run "refuses_modules_without_settings" {
  command = plan

  variables {
    scaling       = { services = {} }
    network       = { vpc_id = "vpc-0123456789abcdef0", route_table_ids = [] }
    storage       = { buckets = {} }
    observability = { log_groups = { "/aws/lambda/finops-monitor" = { class = "audit" } } }
  }

  expect_failures = [var.scaling, var.network, var.storage, var.observability]
}

run "refuses_an_empty_path" {
  command = plan

  variables {
    monitor = { zip_path = "" }
  }

  expect_failures = [var.monitor]
}

run "refuses_a_monitor_without_tables" {
  command = plan

  variables {
    orchestrator = { create_tables = false }
    monitor      = { zip_path = "./tests/function.zip" }
  }

  expect_failures = [var.orchestrator]
}

run "refuses_a_rotation_without_endpoints" {
  command = plan

  variables {
    security = { redis = { vpc_id = "vpc-0123456789abcdef0", subnet_ids = ["subnet-0123456789abcdef0"], rotation_zip = "./tests/function.zip" } }
  }

  expect_failures = [var.security]
}

run "refuses_a_limiter_without_redis" {
  command = plan

  variables {
    rate_limiter = { zip_path = "./tests/function.zip", vpc_id = "vpc-0123456789abcdef0", subnet_ids = ["subnet-0123456789abcdef0"] }
  }

  expect_failures = [var.rate_limiter]
}

run "refuses_a_limiter_without_its_queue" {
  command = plan

  variables {
    orchestrator = { create_queues = false }
    rate_limiter = { zip_path = "./tests/function.zip", vpc_id = "vpc-0123456789abcdef0", subnet_ids = ["subnet-0123456789abcdef0"], redis = { endpoint = "redis.example.internal", security_group_id = "sg-0123456789abcdef0" } }
  }

  expect_failures = [var.rate_limiter]
}

run "refuses_a_message_that_comes_back_too_early" {
  command = plan

  variables {
    orchestrator = { visibility_timeout_seconds = 300 }
    rate_limiter = { zip_path = "./tests/function.zip", vpc_id = "vpc-0123456789abcdef0", subnet_ids = ["subnet-0123456789abcdef0"], redis = { endpoint = "redis.example.internal", security_group_id = "sg-0123456789abcdef0" } }
  }

  expect_failures = [var.rate_limiter]
}
