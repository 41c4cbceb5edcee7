#pragma once

#include <map>
#include <string>
#include <string_view>

#include "config/problems.hpp"
#include "config/template.hpp"
#include "config/url.hpp"

namespace wskeep::config {

struct SessionScript;

/// The templates of what a connection asks for: URLs, headers, credentials. Which variables they
/// can name is known when its session script is.
class RequestTemplates {
 public:
  /// `key` says what it is; another of the same key takes its place, as a connection's header does
  /// that of `defaults`.
  void note(const std::string& key, const Template& text, Place place, const std::string& path);
  void forget(const std::string& key) { templates_.erase(key); }

  /// Adds what is wrong with their variables. `script`: nullptr for none.
  void check(const SessionScript* script, Problems& problems) const;

 private:
  struct Noted {
    Template text;
    Place place;
    std::string path;
  };
  std::map<std::string, Noted> templates_;
};

/// Throws what `parse` throws where a URL is wrong whatever its place-holders stand for. One that
/// begins with a place-holder can be anything.
void check_url_template(const Template& url, Url (*parse)(std::string_view));

/// Whether the template itself says with which scheme the URL begins, and not a value.
[[nodiscard]] bool names_scheme(const Template& url);

}  // namespace wskeep::config
