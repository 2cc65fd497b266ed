//! HTTP: JSON-RPC for clients, the ops port for the operator and the kubelet, and the views behind both.

mod client;
mod connections;
pub mod descriptors;
pub mod listener;
mod lookup;
pub mod ops;
pub mod rpc;
pub mod serving;
mod stall;
pub mod view_list;
