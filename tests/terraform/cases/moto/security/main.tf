module "key" {
  source = "../../modules/key"

  namespace   = "trial"
  environment = "test"
  account_id  = "123456789012"
  region      = "us-east-1"
}

resource "aws_sns_topic" "alerts" {
  name = "trial-cost-alerts"
}

module "security" {
  source = "../../modules/security"

  namespace       = "trial"
  environment     = "test"
  account_id      = "123456789012"
  region          = "us-east-1"
  kms_key_arn     = module.key.arn
  topic_arn       = aws_sns_topic.alerts.arn
  block_public_s3 = true
  cloudtrail      = true
  guardduty       = {}
  security_hub    = true
  database        = { family = "postgres16" }

  task_roles = {
    web = {
      repository_arns = ["arn:aws:ecr:us-east-1:123456789012:repository/web"]
      log_group_arns  = ["arn:aws:logs:us-east-1:123456789012:log-group:/ecs/web"]
      secrets         = { DATABASE_URL = "arn:aws:secretsmanager:us-east-1:123456789012:secret:web/database-AbCdEf" }
      actions         = { "arn:aws:sqs:us-east-1:123456789012:trial-hybrid-workflows.fifo" = ["sqs:SendMessage"] }
    }
  }
}
