
mod model_tenant;
mod contract;
mod model_contract;
