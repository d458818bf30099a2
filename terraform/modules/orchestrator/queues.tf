# Two queues: workflow steps in order per group at high throughput, and outgoing messages that wait for the rate limiter.

locals {
  is_fifo = { for key, name in local.queues : key => endswith(name, ".fifo") }

  tls_only = {
    for arn in concat(values(local.queue_arns), values(local.dead_letter_queue_arns)) : arn => jsonencode({
      Version = "2012-10-17"
      Statement = [{
        Sid       = "TlsOnly"
        Effect    = "Deny"
        Principal = "*"
        Action    = "sqs:*"
        Resource  = arn
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      }]
    })
  }
}

resource "aws_sqs_queue" "this" {
  for_each = var.create_queues ? local.queues : {}

  name                       = each.value
  visibility_timeout_seconds = var.visibility_timeout_seconds
  message_retention_seconds  = 1209600
  receive_wait_time_seconds  = 20
  policy                     = local.tls_only[local.queue_arns[each.key]]

  redrive_policy = jsonencode({
    deadLetterTargetArn = local.dead_letter_queue_arns[each.key]
    maxReceiveCount     = var.max_receive_count
  })

  # Order and de-duplication per group are what high throughput needs.
  fifo_queue            = local.is_fifo[each.key] ? true : null
  deduplication_scope   = local.is_fifo[each.key] ? "messageGroup" : null
  fifo_throughput_limit = local.is_fifo[each.key] ? "perMessageGroupId" : null

  kms_master_key_id                 = var.kms_key_arn
  kms_data_key_reuse_period_seconds = 300
  tags                              = var.tags

  depends_on = [aws_sqs_queue.dead_letter]
}

resource "aws_sqs_queue" "dead_letter" {
  for_each = var.create_queues ? local.dead_letter_queues : {}

  name                      = each.value
  message_retention_seconds = 1209600
  receive_wait_time_seconds = 20
  policy                    = local.tls_only[local.dead_letter_queue_arns[each.key]]

  redrive_allow_policy = jsonencode({
    redrivePermission = "byQueue"
    sourceQueueArns   = [local.queue_arns[each.key]]
  })

  fifo_queue            = local.is_fifo[each.key] ? true : null
  deduplication_scope   = local.is_fifo[each.key] ? "messageGroup" : null
  fifo_throughput_limit = local.is_fifo[each.key] ? "perMessageGroupId" : null

  kms_master_key_id                 = var.kms_key_arn
  kms_data_key_reuse_period_seconds = 300
  tags                              = var.tags
}
