//! The pool of mode `transaction` as clients and the server see it: the bound, the queue, its error, a server that goes.

mod bound;
mod cut;
mod full;
mod half_way;
mod outage;
mod queue;
mod unread;
mod warned;
