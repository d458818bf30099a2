# Outgoing messages at the rate that the other side takes: a function between a queue and Redis.

locals {
  partition     = startswith(var.region, "cn-") ? "aws-cn" : startswith(var.region, "us-gov-") ? "aws-us-gov" : "aws"
  function      = "finops-limiter"
  log_group     = "/aws/lambda/${local.function}"
  log_group_arn = "arn:${local.partition}:logs:${var.region}:${var.account_id}:log-group:${local.log_group}"
  is_fifo       = endswith(var.queue_arn, ".fifo")
}

# A FIFO queue has as many readers as message groups, so the trap exists for standard queues only.
check "throttled_receives" {
  assert {
    condition     = local.is_fifo || var.reserved_concurrency >= 2 || var.accept_throttled_receives
    error_message = "a standard queue with reserved concurrency 1 can send valid messages to the dead-letter queue; use a FIFO queue, a reserved_concurrency of 2, or set accept_throttled_receives."
  }
}

resource "aws_cloudwatch_log_group" "limiter" {
  #checkov:skip=CKV_AWS_338:the log of a function, no audit log; log_retention_days decides
  name              = local.log_group
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
  tags              = var.tags
}

resource "aws_security_group" "limiter" {
  name        = "${var.namespace}-${local.function}"
  description = "finops-limiter: out to Redis, nothing in"
  vpc_id      = var.vpc_id
  tags        = var.tags
}

resource "aws_vpc_security_group_egress_rule" "redis" {
  security_group_id            = aws_security_group.limiter.id
  description                  = "Redis"
  referenced_security_group_id = var.redis.security_group_id
  ip_protocol                  = "tcp"
  from_port                    = var.redis.port
  to_port                      = var.redis.port
  tags                         = var.tags
}

resource "aws_vpc_security_group_ingress_rule" "redis" {
  security_group_id            = var.redis.security_group_id
  description                  = local.function
  referenced_security_group_id = aws_security_group.limiter.id
  ip_protocol                  = "tcp"
  from_port                    = var.redis.port
  to_port                      = var.redis.port
  tags                         = var.tags
}

resource "aws_vpc_security_group_egress_rule" "secrets" {
  count = var.secrets_endpoint == null ? 0 : 1

  security_group_id            = aws_security_group.limiter.id
  description                  = "Secrets Manager, by its endpoint in the VPC"
  referenced_security_group_id = var.secrets_endpoint.security_group_id
  ip_protocol                  = "tcp"
  from_port                    = 443
  to_port                      = 443
  tags                         = var.tags
}

resource "aws_vpc_security_group_ingress_rule" "secrets" {
  count = var.secrets_endpoint == null ? 0 : 1

  security_group_id            = var.secrets_endpoint.security_group_id
  description                  = local.function
  referenced_security_group_id = aws_security_group.limiter.id
  ip_protocol                  = "tcp"
  from_port                    = 443
  to_port                      = 443
  tags                         = var.tags
}

resource "aws_lambda_function" "limiter" {
  #checkov:skip=CKV_AWS_116:messages that fail stay in their queue and end in its dead-letter queue
  #checkov:skip=CKV_AWS_272:signing is a decision of the account's pipeline; the zip is pinned by its hash
  #checkov:skip=CKV_AWS_50:traces go out by OTLP, not by X-Ray
  function_name                  = local.function
  description                    = "Lets messages out at the permitted rate"
  role                           = aws_iam_role.limiter.arn
  runtime                        = "provided.al2023"
  architectures                  = ["arm64"]
  handler                        = "bootstrap"
  filename                       = var.zip_path
  source_code_hash               = filebase64sha256(var.zip_path)
  timeout                        = var.timeout_seconds
  memory_size                    = 128
  reserved_concurrent_executions = var.reserved_concurrency
  kms_key_arn                    = var.kms_key_arn
  tags                           = var.tags

  vpc_config {
    subnet_ids         = var.subnet_ids
    security_group_ids = [aws_security_group.limiter.id]
  }

  environment {
    variables = merge(
      { FINOPS_REDIS_URL = "rediss://${var.redis.endpoint}:${var.redis.port}" },
      var.redis.secret_name == null ? {} : { FINOPS_REDIS_SECRET = var.redis.secret_name },
    )
  }

  logging_config {
    log_format = "JSON"
    log_group  = local.log_group
  }

  depends_on = [aws_cloudwatch_log_group.limiter, aws_iam_role_policy.limiter]
}

resource "aws_lambda_event_source_mapping" "queue" {
  event_source_arn        = var.queue_arn
  function_name           = aws_lambda_function.limiter.function_name
  batch_size              = var.batch_size
  function_response_types = ["ReportBatchItemFailures"]
  tags                    = var.tags

  # The lowest that AWS takes; a FIFO queue is bounded by its message groups instead.
  dynamic "scaling_config" {
    for_each = local.is_fifo ? [] : [max(2, var.reserved_concurrency)]
    content {
      maximum_concurrency = scaling_config.value
    }
  }
}

# For callers that want an answer at once (429 with Retry-After). Only signed requests are let in.
resource "aws_lambda_function_url" "limiter" {
  function_name      = aws_lambda_function.limiter.function_name
  authorization_type = "AWS_IAM"
}
