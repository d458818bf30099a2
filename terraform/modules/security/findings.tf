# What watches the account: GuardDuty, told through EventBridge and the topic, and Security Hub.

resource "aws_guardduty_detector" "this" {
  #checkov:skip=CKV2_AWS_3:for one account; in an organisation its administrator owns GuardDuty and this switch stays off
  count = var.guardduty == null ? 0 : 1

  enable                       = true
  finding_publishing_frequency = "FIFTEEN_MINUTES"
  tags                         = var.tags
}

resource "aws_cloudwatch_event_rule" "guardduty" {
  count = var.guardduty == null ? 0 : 1

  name        = "${var.namespace}-guardduty-findings"
  description = "Findings of severity ${var.guardduty.min_severity} and above"
  tags        = var.tags
  event_pattern = jsonencode({
    source      = ["aws.guardduty"]
    detail-type = ["GuardDuty Finding"]
    detail      = { severity = [{ numeric = [">=", var.guardduty.min_severity] }] }
  })
}

resource "aws_cloudwatch_event_target" "guardduty" {
  count = var.guardduty == null ? 0 : 1

  rule = aws_cloudwatch_event_rule.guardduty[0].name
  arn  = var.topic_arn

  retry_policy {
    maximum_event_age_in_seconds = 86400
    maximum_retry_attempts       = 185
  }
}

resource "aws_securityhub_account" "this" {
  count = var.security_hub ? 1 : 0

  enable_default_standards  = false
  control_finding_generator = "SECURITY_CONTROL"
  auto_enable_controls      = true
}

resource "aws_securityhub_standards_subscription" "best_practices" {
  count = var.security_hub ? 1 : 0

  standards_arn = "arn:${local.partition}:securityhub:${var.region}::standards/aws-foundational-security-best-practices/v/1.0.0"

  depends_on = [aws_securityhub_account.this]
}
