# Names and ARNs of everything in this module. They follow from the inputs, so that policies can be read in the plan.

locals {
  partition = startswith(var.region, "cn-") ? "aws-cn" : startswith(var.region, "us-gov-") ? "aws-us-gov" : "aws"

  queues = {
    workflows    = "${var.namespace}-hybrid-workflows.fifo"
    rate_limiter = "${var.namespace}-rate-limiter-queue"
  }
  dead_letter_queues = {
    workflows    = "${var.namespace}-hybrid-workflows-dlq.fifo"
    rate_limiter = "${var.namespace}-rate-limiter-queue-dlq"
  }
  queue_arns             = { for key, name in local.queues : key => "arn:${local.partition}:sqs:${var.region}:${var.account_id}:${name}" }
  dead_letter_queue_arns = { for key, name in local.dead_letter_queues : key => "arn:${local.partition}:sqs:${var.region}:${var.account_id}:${name}" }

  tables = {
    ai_costs    = "${var.namespace}-ai-costs-${var.environment}"
    cost_alerts = "${var.namespace}-cost-alerts-${var.environment}"
  }
  table_arns = { for key, name in local.tables : key => "arn:${local.partition}:dynamodb:${var.region}:${var.account_id}:table/${name}" }

  topic     = "${var.namespace}-cost-alerts"
  topic_arn = "arn:${local.partition}:sns:${var.region}:${var.account_id}:${local.topic}"
}
