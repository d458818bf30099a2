# The scheduled job: a function and its log.

locals {
  partition = startswith(var.region, "cn-") ? "aws-cn" : startswith(var.region, "us-gov-") ? "aws-us-gov" : "aws"

  # One installation per account keeps the short name; the topic and the role carry the namespace.
  function      = "finops-monitor"
  function_arn  = "arn:${local.partition}:lambda:${var.region}:${var.account_id}:function:${local.function}"
  log_group     = "/aws/lambda/${local.function}"
  log_group_arn = "arn:${local.partition}:logs:${var.region}:${var.account_id}:log-group:${local.log_group}"
}

resource "aws_cloudwatch_log_group" "monitor" {
  #checkov:skip=CKV_AWS_338:the log of a job, no audit log; log_retention_days decides
  name              = local.log_group
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
  tags              = var.tags
}

resource "aws_lambda_function" "monitor" {
  #checkov:skip=CKV_AWS_116:the scheduler keeps failed calls in its own dead-letter queue; a target here would widen the role
  #checkov:skip=CKV_AWS_117:it calls public AWS endpoints only, which a VPC would put behind paid endpoints
  #checkov:skip=CKV_AWS_272:signing is a decision of the account's pipeline; the zip is pinned by its hash
  #checkov:skip=CKV_AWS_50:traces go out by OTLP, not by X-Ray
  function_name                  = local.function
  description                    = "Collects spend, evaluates budgets and anomalies, tells people"
  role                           = aws_iam_role.monitor.arn
  runtime                        = "provided.al2023"
  architectures                  = ["arm64"]
  handler                        = "bootstrap"
  filename                       = var.zip_path
  source_code_hash               = filebase64sha256(var.zip_path)
  timeout                        = var.timeout_seconds
  memory_size                    = var.memory_mb
  reserved_concurrent_executions = 1
  kms_key_arn                    = var.kms_key_arn
  tags                           = var.tags

  environment {
    variables = merge({
      FINOPS_CONFIG = "/var/task/finops.toml"
      FINOPS_STORE  = "dynamodb:"
    }, var.environment_variables)
  }

  logging_config {
    log_format = "JSON"
    log_group  = local.log_group
  }

  depends_on = [aws_cloudwatch_log_group.monitor, aws_iam_role_policy.monitor]
}

# The scheduler tries again by itself; Lambda must not add attempts of its own to that.
resource "aws_lambda_function_event_invoke_config" "monitor" {
  function_name                = aws_lambda_function.monitor.function_name
  maximum_event_age_in_seconds = max(60, min(21600, var.every_minutes * 60))
  maximum_retry_attempts       = 0
}

resource "aws_secretsmanager_secret" "this" {
  #checkov:skip=CKV2_AWS_57:keys of other companies, which only their owners can rotate
  for_each = var.secrets

  name        = "${var.namespace}/${var.environment}/${each.value}"
  description = "Read by ${local.function}"
  kms_key_id  = var.kms_key_arn
  tags        = var.tags
}
