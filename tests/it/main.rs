
mod entra;
mod graph_examples;
mod model_tenant;
mod calendar;
mod contract;
mod model_contract;
mod model_faults;
mod scene;
mod settings;
