# The topic that every alert goes through, from the program and from AWS itself.

resource "aws_sns_topic" "alerts" {
  name              = local.topic
  kms_master_key_id = var.kms_key_arn
  tags              = var.tags
}

resource "aws_sns_topic_policy" "alerts" {
  arn = aws_sns_topic.alerts.arn
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat([
      for name, service in {
        Budgets          = "budgets.amazonaws.com"
        AnomalyDetection = "costalerts.amazonaws.com"
        Alarms           = "cloudwatch.amazonaws.com"
        } : {
        Sid       = name
        Effect    = "Allow"
        Principal = { Service = service }
        Action    = "sns:Publish"
        Resource  = local.topic_arn
        Condition = { StringEquals = { "aws:SourceAccount" = var.account_id } }
      }
      ], [
      {
        # EventBridge does not send the source account to SNS, but it sends the rule.
        Sid       = "SecurityFindings"
        Effect    = "Allow"
        Principal = { Service = "events.amazonaws.com" }
        Action    = "sns:Publish"
        Resource  = local.topic_arn
        Condition = { ArnLike = { "aws:SourceArn" = "arn:${local.partition}:events:${var.region}:${var.account_id}:rule/${var.namespace}-*" } }
      },
      {
        Sid       = "TlsOnly"
        Effect    = "Deny"
        Principal = "*"
        Action    = "sns:Publish"
        Resource  = local.topic_arn
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      },
    ])
  })
}

resource "aws_sns_topic_subscription" "email" {
  for_each = var.email_subscriptions

  topic_arn = aws_sns_topic.alerts.arn
  protocol  = "email"
  endpoint  = each.value
}

resource "aws_sns_topic_subscription" "https" {
  for_each = var.https_subscriptions

  topic_arn              = aws_sns_topic.alerts.arn
  protocol               = "https"
  endpoint               = each.value
  endpoint_auto_confirms = true
}

# Amazon Q in chat applications posts what the topic carries; it is not allowed to run anything.
resource "aws_iam_role" "slack" {
  count = var.slack == null ? 0 : 1

  name = "${var.namespace}-cost-alerts-slack"
  tags = var.tags
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "chatbot.amazonaws.com" }
      Action    = "sts:AssumeRole"
      Condition = { StringEquals = { "aws:SourceAccount" = var.account_id } }
    }]
  })
}

resource "aws_chatbot_slack_channel_configuration" "this" {
  count = var.slack == null ? 0 : 1

  configuration_name = local.topic
  slack_team_id      = var.slack.team_id
  slack_channel_id   = var.slack.channel_id
  iam_role_arn       = aws_iam_role.slack[0].arn
  sns_topic_arns     = [aws_sns_topic.alerts.arn]
  # Without a guardrail AWS sets AdministratorAccess.
  guardrail_policy_arns = ["arn:${local.partition}:iam::aws:policy/AWSDenyAll"]
  logging_level         = "ERROR"
  tags                  = var.tags
}
