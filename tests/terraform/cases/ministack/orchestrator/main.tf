module "key" {
  source = "../../modules/key"

  namespace   = "trial"
  environment = "test"
  account_id  = "000000000000"
  region      = "us-east-1"
}

module "orchestrator" {
  source = "../../modules/orchestrator"

  namespace           = "trial"
  environment         = "test"
  account_id          = "000000000000"
  region              = "us-east-1"
  kms_key_arn         = module.key.arn
  deletion_protection = false
  email_subscriptions = ["finops@example.com"]
  budget              = { limit_usd = 100 }
}
