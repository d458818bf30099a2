module "state" {
  source = "../../modules/state"

  namespace   = "trial"
  environment = "test"
  account_id  = "123456789012"
}
