# The whole system. Every module is switched by its variable: settings turn it on, null leaves it out.

locals {
  common = {
    namespace   = var.namespace
    environment = var.environment
    account_id  = var.account_id
    region      = var.region
    tags        = var.tags
  }
  kms_key_arn                = var.kms_key_arn == null ? module.key[0].arn : var.kms_key_arn
  endpoint_security_group_id = one(module.network[*].endpoint_security_group_id)
  # Known before anything exists, unlike the id.
  has_endpoints = try(length(var.network.interface_endpoints) > 0, false)
}

module "key" {
  source = "./modules/key"
  count  = var.kms_key_arn == null ? 1 : 0

  namespace   = local.common.namespace
  environment = local.common.environment
  account_id  = local.common.account_id
  region      = local.common.region
  tags        = local.common.tags
}

module "orchestrator" {
  source = "./modules/orchestrator"

  namespace                  = local.common.namespace
  environment                = local.common.environment
  account_id                 = local.common.account_id
  region                     = local.common.region
  tags                       = local.common.tags
  kms_key_arn                = local.kms_key_arn
  create_queues              = var.orchestrator.create_queues
  create_tables              = var.orchestrator.create_tables
  max_receive_count          = var.orchestrator.max_receive_count
  visibility_timeout_seconds = var.orchestrator.visibility_timeout_seconds
  deletion_protection        = var.orchestrator.deletion_protection
  point_in_time_recovery     = var.orchestrator.point_in_time_recovery
  email_subscriptions        = var.orchestrator.email_subscriptions
  https_subscriptions        = var.orchestrator.https_subscriptions
  slack                      = var.orchestrator.slack
  budget                     = var.orchestrator.budget
  anomaly                    = var.orchestrator.anomaly
}

module "monitor" {
  source = "./modules/monitor"
  count  = var.monitor == null ? 0 : 1

  namespace               = local.common.namespace
  environment             = local.common.environment
  account_id              = local.common.account_id
  region                  = local.common.region
  tags                    = local.common.tags
  kms_key_arn             = local.kms_key_arn
  zip_path                = var.monitor.zip_path
  every_minutes           = var.monitor.every_minutes
  timeout_seconds         = var.monitor.timeout_seconds
  memory_mb               = var.monitor.memory_mb
  table_arns              = length(var.monitor.table_arns) > 0 ? var.monitor.table_arns : toset(values(module.orchestrator.table_arns))
  topic_arn               = module.orchestrator.topic_arn
  alarm_topic_arns        = var.monitor.alarm_topic_arns
  assume_role_arns        = var.monitor.assume_role_arns
  usage_buckets           = var.monitor.usage_buckets
  athena                  = var.monitor.athena
  secrets                 = var.monitor.secrets
  log_retention_days      = var.monitor.log_retention_days
  environment_variables   = var.monitor.environment_variables
  dead_letter_queue_names = module.orchestrator.dead_letter_queue_names
}

module "rate_limiter" {
  source = "./modules/rate_limiter"
  count  = var.rate_limiter == null ? 0 : 1

  namespace                 = local.common.namespace
  environment               = local.common.environment
  account_id                = local.common.account_id
  region                    = local.common.region
  tags                      = local.common.tags
  kms_key_arn               = local.kms_key_arn
  zip_path                  = var.rate_limiter.zip_path
  queue_arn                 = module.orchestrator.queue_arns["rate_limiter"]
  reserved_concurrency      = var.rate_limiter.reserved_concurrency
  accept_throttled_receives = var.rate_limiter.accept_throttled_receives
  batch_size                = var.rate_limiter.batch_size
  timeout_seconds           = var.rate_limiter.timeout_seconds
  vpc_id                    = var.rate_limiter.vpc_id
  subnet_ids                = var.rate_limiter.subnet_ids
  redis                     = var.rate_limiter.redis == null ? module.security[0].redis : var.rate_limiter.redis
  secrets_endpoint          = var.rate_limiter.secrets_endpoint == null && local.has_endpoints ? { security_group_id = local.endpoint_security_group_id } : var.rate_limiter.secrets_endpoint
  log_retention_days        = var.rate_limiter.log_retention_days
}

module "security" {
  source = "./modules/security"
  count  = var.security == null ? 0 : 1

  namespace   = local.common.namespace
  environment = local.common.environment
  account_id  = local.common.account_id
  region      = local.common.region
  tags        = local.common.tags
  kms_key_arn = local.kms_key_arn
  topic_arn   = module.orchestrator.topic_arn
  redis = var.security.redis == null ? null : merge(var.security.redis, {
    endpoint_security_group_id = var.security.redis.endpoint_security_group_id == null ? local.endpoint_security_group_id : var.security.redis.endpoint_security_group_id
  })
  block_public_s3      = var.security.block_public_s3
  database             = var.security.database
  cloudtrail           = var.security.cloudtrail
  audit_retention_days = var.security.audit_retention_days
  guardduty            = var.security.guardduty
  security_hub         = var.security.security_hub
  task_roles           = var.security.task_roles
}

module "observability" {
  source = "./modules/observability"
  count  = var.observability == null ? 0 : 1

  namespace            = local.common.namespace
  environment          = local.common.environment
  region               = local.common.region
  tags                 = local.common.tags
  kms_key_arn          = local.kms_key_arn
  topic_arn            = module.orchestrator.topic_arn
  clusters             = var.observability.clusters
  services             = var.observability.services
  load_balancers       = var.observability.load_balancers
  log_groups           = var.observability.log_groups
  audit_retention_days = var.observability.audit_retention_days
  dashboard            = var.observability.dashboard
  metric_namespace     = var.observability.metric_namespace
  collector            = var.observability.collector
}

module "scaling" {
  source = "./modules/scaling"
  count  = var.scaling == null ? 0 : 1

  namespace        = local.common.namespace
  tags             = local.common.tags
  services         = var.scaling.services
  cooldown_seconds = var.scaling.cooldown_seconds

  # A service needs its cluster.
  depends_on = [module.observability]
}

module "network" {
  source = "./modules/network"
  count  = var.network == null ? 0 : 1

  namespace                 = local.common.namespace
  region                    = local.common.region
  tags                      = local.common.tags
  vpc_id                    = var.network.vpc_id
  route_table_ids           = var.network.route_table_ids
  interface_endpoints       = var.network.interface_endpoints
  subnet_ids                = var.network.subnet_ids
  client_security_group_ids = var.network.client_security_group_ids
  nat_gb_per_month          = var.network.nat_gb_per_month
  prices                    = var.network.prices
}

module "storage" {
  source = "./modules/storage"
  count  = var.storage == null ? 0 : 1

  namespace = local.common.namespace
  buckets   = var.storage.buckets
}
