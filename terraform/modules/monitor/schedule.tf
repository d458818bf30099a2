# When it runs: EventBridge Scheduler with attempts of its own and a dead-letter queue.

locals {
  dead_letter_queue     = "${var.namespace}-finops-monitor-dlq"
  dead_letter_queue_arn = "arn:${local.partition}:sqs:${var.region}:${var.account_id}:${local.dead_letter_queue}"
  schedule_group        = "${var.namespace}-finops"
}

resource "aws_scheduler_schedule_group" "this" {
  name = local.schedule_group
  tags = var.tags
}

resource "aws_scheduler_schedule" "monitor" {
  name                = local.function
  group_name          = aws_scheduler_schedule_group.this.name
  description         = "One run of ${local.function}"
  schedule_expression = "rate(${var.every_minutes} minutes)"
  kms_key_arn         = var.kms_key_arn

  flexible_time_window {
    mode = "OFF"
  }

  target {
    arn      = local.function_arn
    role_arn = aws_iam_role.scheduler.arn
    input    = jsonencode({ source = "schedule", schedule = local.function })

    retry_policy {
      maximum_event_age_in_seconds = max(60, var.every_minutes * 60)
      maximum_retry_attempts       = 3
    }

    dead_letter_config {
      arn = local.dead_letter_queue_arn
    }
  }

  depends_on = [aws_lambda_function.monitor, aws_sqs_queue.dead_letter, aws_iam_role_policy.scheduler]
}

resource "aws_sqs_queue" "dead_letter" {
  name                              = local.dead_letter_queue
  message_retention_seconds         = 1209600
  receive_wait_time_seconds         = 20
  kms_master_key_id                 = var.kms_key_arn
  kms_data_key_reuse_period_seconds = 300
  tags                              = var.tags
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "TlsOnly"
      Effect    = "Deny"
      Principal = "*"
      Action    = "sqs:*"
      Resource  = local.dead_letter_queue_arn
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    }]
  })
}

resource "aws_iam_role" "scheduler" {
  name        = "${var.namespace}-finops-scheduler"
  description = "Starts ${local.function} and keeps calls that failed"
  tags        = var.tags
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "scheduler.amazonaws.com" }
      Action    = "sts:AssumeRole"
      Condition = { StringEquals = { "aws:SourceAccount" = var.account_id } }
    }]
  })
}

resource "aws_iam_role_policy" "scheduler" {
  name = "start"
  role = aws_iam_role.scheduler.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      { Sid = "Start", Effect = "Allow", Action = ["lambda:InvokeFunction"], Resource = [local.function_arn] },
      { Sid = "KeepFailed", Effect = "Allow", Action = ["sqs:SendMessage"], Resource = [local.dead_letter_queue_arn] },
      { Sid = "Encrypt", Effect = "Allow", Action = ["kms:Decrypt", "kms:GenerateDataKey"], Resource = [var.kms_key_arn] },
    ]
  })
}
