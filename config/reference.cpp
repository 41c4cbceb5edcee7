#include "config/reference.hpp"

#include "config/keys.hpp"

namespace wskeep::config {
namespace {

std::string prefix_of(Scope scope) {
  switch (scope) {
    case Scope::inherited:
      return "defaults.";
    case Scope::connection:
      return "connections.NAME.";
    case Scope::top:
      break;
  }
  return "";
}

}  // namespace

std::vector<ReferenceEntry> reference() {
  std::vector<ReferenceEntry> entries;
  for (const Key& key : all_keys()) {
    entries.push_back({prefix_of(key.scope) + std::string(key.path), type_text(key.value),
                       default_text(key.value), std::string(key.description)});
  }
  return entries;
}

}  // namespace wskeep::config
