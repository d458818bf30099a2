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

resource "aws_cloudwatch_log_group" "there" {
  name              = "/audit/there"
  retention_in_days = 731
}

module "observability" {
  source = "../../modules/observability"

  namespace   = "trial"
  environment = "test"
  region      = "us-east-1"
  kms_key_arn = module.key.arn
  topic_arn   = aws_sns_topic.alerts.arn

  clusters       = { ai-team = {}, web = { container_insights = "enhanced" } }
  services       = { "ai-team/worker" = {} }
  load_balancers = { web = { arn_suffix = "app/web/0123456789abcdef", requests_per_minute = 1000 } }
  log_groups = {
    "/ecs/web"     = { class = "standard" }
    "/ecs/billing" = { class = "critical" }
  }
  collector = { endpoint = "https://otel.example.com" }
}
