//! One whole run: collect, record, evaluate, alert, notify.
