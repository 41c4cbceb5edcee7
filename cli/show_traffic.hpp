#pragma once

#include <boost/json/fwd.hpp>

#include "cli/facts.hpp"

/// What `wskeep show` says of what a connection carries, and to whom.
namespace wskeep::cli {

/// Messages and bytes each way, how many a second now, and how much that varies.
void add_traffic(Facts& facts, const boost::json::object& connection);

/// Each local app that reads, and how far behind it is.
void add_readers(Facts& facts, const boost::json::object& connection);

}  // namespace wskeep::cli
