
mod model_tenant;
