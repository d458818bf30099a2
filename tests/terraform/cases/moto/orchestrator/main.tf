module "key" {
  source = "../../modules/key"

  namespace   = "trial"
  environment = "test"
  account_id  = "123456789012"
  region      = "us-east-1"
}

module "orchestrator" {
  source = "../../modules/orchestrator"

  namespace           = "trial"
  environment         = "test"
  account_id          = "123456789012"
  region              = "us-east-1"
  kms_key_arn         = module.key.arn
  deletion_protection = false
  email_subscriptions = ["finops@example.com"]
  https_subscriptions = ["https://hooks.example.com/alerts"]

  budget = {
    limit_usd = 100
    filters   = { TagKeyValue = ["user:team$search"] }
  }
  anomaly = {}
  tags    = { team = "search" }
}
