# modules/rate_limiter: outgoing messages at the permitted rate.

mock_provider "aws" {}

variables {
  namespace   = "huntaze"
  environment = "production"
  account_id  = "123456789012"
  region      = "us-east-1"
  kms_key_arn = "arn:aws:kms:us-east-1:123456789012:key/00000000-0000-0000-0000-000000000000"
  zip_path    = "./tests/function.zip"
  queue_arn   = "arn:aws:sqs:us-east-1:123456789012:huntaze-rate-limiter-queue"
  vpc_id      = "vpc-0123456789abcdef0"
  subnet_ids  = ["subnet-0123456789abcdef0"]
  redis       = { endpoint = "redis.example.internal", security_group_id = "sg-0123456789abcdef0" }

  accept_throttled_receives = true
}

run "one_copy_partial_failures_signed_requests" {
  command = plan

  module {
    source = "./modules/rate_limiter"
  }

  assert {
    condition     = aws_lambda_function.limiter.reserved_concurrent_executions == 1 && aws_lambda_event_source_mapping.queue.scaling_config[0].maximum_concurrency == 2
    error_message = "one copy runs; two readers are the least that AWS allows"
  }

  assert {
    condition     = aws_lambda_event_source_mapping.queue.function_response_types == toset(["ReportBatchItemFailures"])
    error_message = "messages fail one by one"
  }

  assert {
    condition     = aws_lambda_function_url.limiter.authorization_type == "AWS_IAM"
    error_message = "only signed requests are let in"
  }
}

run "reaches_redis_only" {
  command = plan

  module {
    source = "./modules/rate_limiter"
  }

  assert {
    condition     = aws_vpc_security_group_egress_rule.redis.from_port == 6379 && aws_vpc_security_group_egress_rule.redis.referenced_security_group_id == "sg-0123456789abcdef0" && length(aws_vpc_security_group_egress_rule.secrets) == 0
    error_message = "the only way out is Redis"
  }
}

run "reads_its_token_through_the_endpoint" {
  command = plan

  module {
    source = "./modules/rate_limiter"
  }

  variables {
    redis            = { endpoint = "redis.example.internal", security_group_id = "sg-0123456789abcdef0", secret_name = "huntaze/production/redis-auth" }
    secrets_endpoint = { security_group_id = "sg-0123456789abcdef1" }
  }

  assert {
    condition     = aws_vpc_security_group_egress_rule.secrets[0].referenced_security_group_id == "sg-0123456789abcdef1" && length(aws_vpc_security_group_ingress_rule.secrets) == 1
    error_message = "the endpoint opens, on both sides"
  }

  assert {
    condition     = one([for statement in jsondecode(aws_iam_role_policy.limiter.policy).Statement : statement.Resource if statement.Sid == "Token"]) == ["arn:aws:secretsmanager:us-east-1:123456789012:secret:huntaze/production/redis-auth-??????"]
    error_message = "one secret, no other"
  }
}

run "fifo_has_no_trap" {
  command = plan

  module {
    source = "./modules/rate_limiter"
  }

  variables {
    queue_arn                 = "arn:aws:sqs:us-east-1:123456789012:huntaze-messages.fifo"
    accept_throttled_receives = false
  }

  assert {
    condition     = length(aws_lambda_event_source_mapping.queue.scaling_config) == 0
    error_message = "a FIFO queue is bounded by its message groups"
  }
}

run "warns_of_the_trap" {
  command = plan

  module {
    source = "./modules/rate_limiter"
  }

  variables {
    accept_throttled_receives = false
  }

  expect_failures = [check.throttled_receives]
}

run "refuses_bad_values" {
  command = plan

  module {
    source = "./modules/rate_limiter"
  }

  variables {
    namespace            = "Huntaze"
    environment          = "p"
    account_id           = "1234"
    region               = "Virginia"
    tags                 = { "aws:team" = "search" }
    kms_key_arn          = "alias/key"
    zip_path             = "./tests/missing.zip"
    queue_arn            = "huntaze-rate-limiter-queue"
    reserved_concurrency = 0
    batch_size           = 11
    timeout_seconds      = 901
    vpc_id               = "main"
    subnet_ids           = []
    redis                = { endpoint = "redis.example.internal", security_group_id = "default" }
    secrets_endpoint     = { security_group_id = "default" }
    log_retention_days   = 31
  }

  expect_failures = [
    var.namespace, var.environment, var.account_id, var.region, var.tags, var.kms_key_arn, var.zip_path, var.queue_arn, var.reserved_concurrency,
    var.batch_size, var.timeout_seconds, var.vpc_id, var.subnet_ids, var.redis, var.secrets_endpoint, var.log_retention_days,
  ]
}

run "refuses_a_bad_port" {
  command = plan

  module {
    source = "./modules/rate_limiter"
  }

  variables {
    redis = { endpoint = "redis.example.internal", security_group_id = "sg-0123456789abcdef0", port = 0 }
  }

  expect_failures = [var.redis]
}

run "refuses_the_arn_of_a_secret" {
  command = plan

  module {
    source = "./modules/rate_limiter"
  }

  variables {
    redis = { endpoint = "redis.example.internal", security_group_id = "sg-0123456789abcdef0", secret_name = "arn:aws:secretsmanager:us-east-1:123456789012:secret:redis-AbCdEf" }
  }

  expect_failures = [var.redis]
}
