#pragma once

#include <memory>
#include <variant>

#include "config/keys.hpp"
#include "config/session.hpp"

namespace wskeep::config {

/// Gives a key of the table another value than it has, whatever its kind. One that disturbs little:
/// times and sizes become as large as may be.
class AnotherValue {
 public:
  static void of(const Key& key, Draft& draft) { std::visit(AnotherValue(draft), key.value); }

  void operator()(const DurationValue& value) const { extreme(value); }
  void operator()(const SizeValue& value) const { extreme(value); }
  void operator()(const CountValue& value) const { extreme(value); }
  void operator()(const RateValue& value) const { value.member(draft_) = {7, Milliseconds(1000)}; }
  void operator()(const ByteRateValue& value) const {
    value.member(draft_) = {7, Milliseconds(1000)};
  }
  void operator()(const FlagValue& value) const { value.member(draft_) = !value.member(draft_); }
  void operator()(const ChoiceValue& value) const {
    value.set(draft_, (value.get(draft_) + 1) % value.names.size());
  }
  void operator()(const ModeValue& value) const { value.member(draft_) ^= 07; }
  void operator()(const StringValue& value) const { value.member(draft_) += "other"; }
  void operator()(const TextValue& value) const { value.member(draft_) = Text("other"); }
  void operator()(const TemplateValue& value) const { value.member(draft_) = Template("other"); }
  void operator()(const StringsValue& value) const { value.member(draft_).emplace_back("other"); }
  void operator()(const FaultsValue& value) const {
    value.member(draft_).push_back(CertificateFault::expired);
  }
  void operator()(const CodeRulesValue& value) const {
    value.member(draft_).push_back({value.most, value.most, Verdict::stop});
  }
  void operator()(const PrincipalsValue& value) const {
    value.member(draft_) = Principals{{Principal::Kind::anyone, 0, "anyone"}};
  }
  void operator()(const UrlsValue& /*value*/) const {
    draft_.connection.urls.emplace_back("wss://other.example/");
  }
  void operator()(const HeadersValue& /*value*/) const {
    draft_.connection.settings.headers.emplace_back("X-Other", Template("1"));
  }
  void operator()(const ResolveValue& /*value*/) const {
    draft_.connection.settings.resolve.push_back({"other.example", 0, {"192.0.2.1"}});
  }
  void operator()(const HostRatesValue& /*value*/) const {
    draft_.config.connects.hosts.emplace_back("other.example", Rate{7, Milliseconds(1000)});
  }
  void operator()(const SessionValue& /*value*/) const {
    SessionScript script;
    script.variables.push_back({"other", {"1"}});
    draft_.connection.settings.session = std::make_shared<const SessionScript>(std::move(script));
  }
  void operator()(const SocketsValue& /*value*/) const {
    draft_.config.ipc.sockets.push_back({"/run/other.sock", 0600, {}, {}});
  }

 private:
  explicit AnotherValue(Draft& draft) : draft_(draft) {}

  template <typename Bounded>
  void extreme(const Bounded& value) const {
    auto& member = value.member(draft_);
    member = member == value.most ? value.least : value.most;
  }

  Draft& draft_;
};

}  // namespace wskeep::config
