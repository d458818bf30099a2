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

module "monitor" {
  source = "../../modules/monitor"

  namespace   = "trial"
  environment = "test"
  account_id  = "123456789012"
  region      = "us-east-1"
  kms_key_arn = module.key.arn
  zip_path    = "../../function.zip"
  topic_arn   = aws_sns_topic.alerts.arn
  table_arns  = ["arn:aws:dynamodb:us-east-1:123456789012:table/trial-ai-costs-test", "arn:aws:dynamodb:us-east-1:123456789012:table/trial-cost-alerts-test"]

  assume_role_arns        = ["arn:aws:iam::210987654321:role/finops-reader"]
  secrets                 = ["slack-webhook"]
  dead_letter_queue_names = { rate_limiter = "trial-rate-limiter-queue-dlq" }
  environment_variables   = { OTEL_EXPORTER_OTLP_ENDPOINT = "https://otel.example.com" }
  tags                    = { team = "search" }
}
