#include "daemon/upstream/remembered_store.hpp"

#include <boost/json.hpp>
#include <charconv>
#include <stdexcept>
#include <utility>

#include "daemon/upstream/secrets.hpp"

namespace wskeep::upstream {
namespace {

namespace json = boost::json;

std::string hexadecimal(std::uint64_t number) {
  std::string text(16, '0');
  for (std::size_t i = text.size(); i-- > 0; number >>= 4U)
    text[i] = "0123456789abcdef"[number & 15U];
  return text;
}

std::uint64_t from_hexadecimal(std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, 16);
  if (error != std::errc() || end != text.data() + text.size())
    throw std::invalid_argument("no number");
  return number;
}

}  // namespace

RememberedStore::~RememberedStore() {
  for (auto& [name, entry] : entries_) wipe_values(entry.values);
}

void RememberedStore::wipe_values(Values& values) {
  for (auto& [name, value] : values) wipe(value);
  values.clear();
}

/// Without the lock: who is told may ask for what has changed.
void RememberedStore::changed() {
  if (told_) told_();
}

RememberedStore::Values RememberedStore::find(const std::string& connection,
                                              std::uint64_t fingerprint) {
  {
    const std::lock_guard guard(lock_);
    const auto found = entries_.find(connection);
    if (found == entries_.end()) return {};
    if (found->second.fingerprint == fingerprint) return found->second.values;
    wipe_values(found->second.values);
    entries_.erase(found);
    ++changes_;
  }
  changed();
  return {};
}

void RememberedStore::put(const std::string& connection, std::uint64_t fingerprint, Values values) {
  {
    const std::lock_guard guard(lock_);
    const auto found = entries_.find(connection);
    if (found == entries_.end() && values.empty()) return;
    if (found != entries_.end()) {
      const bool same = found->second.fingerprint == fingerprint && found->second.values == values;
      if (same) return;
      wipe_values(found->second.values);
      entries_.erase(found);
    }
    if (!values.empty()) entries_[connection] = {fingerprint, std::move(values)};
    ++changes_;
  }
  changed();
}

void RememberedStore::retain(const std::set<std::string>& connections) {
  {
    const std::lock_guard guard(lock_);
    const std::size_t gone = std::erase_if(
        entries_, [&](const auto& entry) { return !connections.contains(entry.first); });
    if (gone == 0) return;
    ++changes_;
  }
  changed();
}

std::uint64_t RememberedStore::changes() const {
  const std::lock_guard guard(lock_);
  return changes_;
}

std::string RememberedStore::save() const {
  json::object connections;
  {
    const std::lock_guard guard(lock_);
    for (const auto& [name, entry] : entries_) {
      json::object values;
      for (const auto& [variable, value] : entry.values) values[variable] = value;
      connections[name] = {{"script", hexadecimal(entry.fingerprint)},
                           {"values", std::move(values)}};
    }
  }
  return json::serialize(json::object{{"version", 1}, {"connections", std::move(connections)}}) +
         "\n";
}

std::string RememberedStore::load(std::string_view text) {
  Entries entries;
  try {
    const json::value file = json::parse(text);
    if (file.at("version") != 1) return "it is of another version of wskeepd";
    for (const auto& [name, kept] : file.at("connections").as_object()) {
      Entry& entry = entries[std::string(name)];
      entry.fingerprint = from_hexadecimal(std::string_view(kept.at("script").as_string()));
      for (const auto& [variable, value] : kept.at("values").as_object())
        entry.values[std::string(variable)] = std::string(value.as_string());
    }
  } catch (const std::exception&) {
    return "it is not what wskeepd writes";
  }
  const std::lock_guard guard(lock_);
  entries_ = std::move(entries);
  return {};
}

}  // namespace wskeep::upstream
