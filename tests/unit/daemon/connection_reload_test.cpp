#include <gtest/gtest.h>

#include <string>

#include "config/difference.hpp"
#include "tests/unit/config/another_value.hpp"
#include "tests/unit/daemon/connection_world.hpp"

/// Other settings for a connection that lives, and the end of one that is not wanted any more.
namespace wskeep::upstream {
namespace {

using Control = ipc::Upstream::Control;
using Renewal = Connection::Renewal;
using daemon::Error;

struct ReloadWorld : ConnectionWorld {
  void configure(Renewal renewal) { connection->configure(settings, limits, renewal); }

  std::string close_heard() {
    Ears ears(websocket::Role::server);
    ears.hear(peer->take());
    return ears.heard.empty() ? "" : ears.heard.back();
  }

  /// The server answers our Close frame.
  void let_close() {
    peer->send(close_frame(1000));
    peer->end();
    run_for(0ms);
  }
};

TEST(ConnectionReload, InPlaceTheSessionStays) {
  ReloadWorld world;
  world.settings.settings.keepalive.ping = 0ms;
  world.settings.settings.timeouts.receive = 30s;
  world.start();
  world.run_for(20s);
  world.settings.settings.timeouts.receive = 5s;
  world.configure(Renewal::none);
  world.run_for(4s);
  EXPECT_EQ(world.connection->state(), State::ready) << "its time begins anew";
  world.run_for(2s);
  EXPECT_EQ(world.ended(Error::receive_timeout), 1U);
  EXPECT_EQ(world.ended(Error::reconfigured), 0U);
}

/// Whatever changes in place: the session stays, and the new setting is there.
TEST(ConnectionReload, EachKeyThatChangesInPlaceLeavesTheSession) {
  ReloadWorld world;
  world.settings.settings.keepalive.ping = 0ms;
  world.settings.settings.timeouts.receive = 1h;
  world.start();
  world.run_for(1s);
  const config::Connection before = world.settings;
  std::size_t keys = 0;
  for (const config::Key& key : config::all_keys()) {
    if (key.scope == config::Scope::top || effect_of(key) != config::Effect::in_place) continue;
    ++keys;
    config::Draft draft;
    draft.connection = before;
    config::AnotherValue::of(key, draft);
    world.settings = draft.connection;
    world.configure(Renewal::none);
    world.run_for(10ms);
    EXPECT_EQ(world.connection->state(), State::ready) << key.path;
    EXPECT_EQ(world.opens, 1U) << key.path;
    config::Config running;
    running.connections.push_back(world.connection->settings());
    config::Config wanted;
    wanted.connections.push_back(world.settings);
    EXPECT_TRUE(config::difference(running, wanted).empty()) << key.path;
  }
  EXPECT_GT(keys, 30U);
}

TEST(ConnectionReload, ALongerTimeIsHeededToo) {
  ReloadWorld world;
  world.settings.settings.keepalive.ping = 0ms;
  world.settings.settings.timeouts.receive = 5s;
  world.start();
  world.run_for(4s);
  world.settings.settings.timeouts.receive = 1min;
  world.configure(Renewal::none);
  world.run_for(59s);
  EXPECT_EQ(world.opens, 1U);
  EXPECT_EQ(world.connection->state(), State::ready);
}

TEST(ConnectionReload, PingsBeginWhenTheyAreSwitchedOn) {
  ReloadWorld world;
  world.settings.settings.keepalive.ping = 0ms;
  world.settings.settings.timeouts.receive = 1h;
  world.start();
  world.run_for(1min);
  static_cast<void>(world.peer->take());
  world.settings.settings.keepalive.ping = 10s;
  world.configure(Renewal::none);
  world.run_for(10s);
  EXPECT_FALSE(world.peer->take().empty());
}

TEST(ConnectionReload, AnOldSessionIsRenewedWhenALifetimeIsGiven) {
  ReloadWorld world;
  world.settings.settings.timeouts.receive = 48h;
  world.settings.settings.keepalive.ping = 0ms;
  world.start();
  world.run_for(2h);
  world.settings.settings.lifetime = 1h;
  world.configure(Renewal::none);
  world.run_for(0ms);
  EXPECT_EQ(world.ended(Error::lifetime), 0U) << "not all at once";
  world.run_for(7min);
  EXPECT_EQ(world.ended(Error::lifetime), 1U);
  EXPECT_EQ(world.opens, 2U);
}

TEST(ConnectionReload, ALifetimeThatIsTakenAwayEndsNothing) {
  ReloadWorld world;
  world.settings.settings.timeouts.receive = 48h;
  world.settings.settings.keepalive.ping = 0ms;
  world.settings.settings.lifetime = 1h;
  world.start();
  world.run_for(30min);
  world.settings.settings.lifetime = 0ms;
  world.configure(Renewal::none);
  world.run_for(3h);
  EXPECT_EQ(world.opens, 1U);
  world.settings.settings.lifetime = 4h;
  world.configure(Renewal::none);
  world.run_for(31min);
  EXPECT_EQ(world.ended(Error::lifetime), 1U);
}

TEST(ConnectionReload, ANewSessionIsGotAtOnceAndTheRingStays) {
  ReloadWorld world;
  world.start();
  world.peer->send(text_frame("one"));
  world.run_for(5s);
  const auto epoch = world.ring().epoch();
  world.settings.settings.headers.emplace_back("X-Key", config::Template("new"));
  world.configure(Renewal::new_session);
  EXPECT_EQ(world.connection->state(), State::closing);
  world.run_for(0ms);
  EXPECT_TRUE(world.close_heard().starts_with("close:1000 "));
  world.let_close();
  EXPECT_EQ(world.connection->state(), State::ready);
  EXPECT_EQ(world.opens, 2U);
  EXPECT_EQ(world.environment.elapsed(), 5s);
  EXPECT_EQ(world.ring().epoch(), epoch);
  EXPECT_EQ(world.ring().next(), 2U);
  EXPECT_EQ(world.event(1).at("error"), "reconfigured");
  EXPECT_EQ(world.event(0).at("event"), "connected");
}

TEST(ConnectionReload, AnotherUrlIsConnectedTo) {
  ReloadWorld world;
  world.route() = {.tcp_error = Error::connection_refused, .on_open = {}};
  world.start();
  world.run_for(10min);
  ASSERT_EQ(world.connection->state(), State::backing_off);
  world.environment.names["other.example"].addresses = {world.address};
  world.serve("");
  world.settings.urls = {config::Template("wss://other.example/")};
  world.configure(Renewal::new_session);
  world.run_for(0ms);
  EXPECT_EQ(world.connection->state(), State::ready);
  EXPECT_EQ(world.connection->describe(ipc::Upstream::Detail::summary).at("url"),
            "wss://other.example/");
}

/// What the cycle refers to must not change under it.
TEST(ConnectionReload, ACycleThatRunsIsBegunAnewForANewSession) {
  ReloadWorld world;
  world.route().tcp_hangs = true;
  world.start();
  world.run_for(1s);
  world.environment.names["other.example"].addresses = {"10.0.0.2"};
  world.environment.routes["10.0.0.2"].on_open =
      answers([](const std::string& request) { return switching(request); });
  world.settings.urls = {config::Template("wss://other.example/")};
  world.configure(Renewal::new_session);
  world.run_for(0ms);
  EXPECT_EQ(world.connection->state(), State::ready);
  EXPECT_EQ(world.environment.elapsed(), 1s);
  EXPECT_EQ(world.ended(Error::reconfigured), 1U);
  EXPECT_EQ(world.connection->statistics().attempts_failed, 0U);
}

TEST(ConnectionReload, ACycleThatRunsGoesOnForWhatChangesInPlace) {
  ReloadWorld world;
  world.route().tcp_hangs = true;
  world.settings.settings.timeouts.connect = 10s;
  world.settings.settings.timeouts.address = 10s;
  world.start();
  world.run_for(1s);
  world.settings.settings.reconnect.initial = world.settings.settings.reconnect.max = 1h;
  world.settings.settings.fallback.addresses = 1;
  world.configure(Renewal::none);
  world.run_for(8s);
  EXPECT_EQ(world.begins().size(), 1U);
  world.run_for(1s);
  EXPECT_EQ(world.connection->state(), State::backing_off);
  world.run_for(30s);
  EXPECT_EQ(world.begins().size(), 1U) << "the new back-off holds";
}

TEST(ConnectionReload, WhatIsPausedStaysPausedAndHasTheNewSettingsThen) {
  ReloadWorld world;
  world.start();
  world.connection->control(Control::pause, 0);
  world.run_for(0ms);
  world.let_close();
  ASSERT_EQ(world.connection->state(), State::paused);
  world.environment.names["other.example"].addresses = {world.address};
  world.settings.urls = {config::Template("wss://other.example/")};
  world.configure(Renewal::new_session);
  world.run_for(1h);
  EXPECT_EQ(world.connection->state(), State::paused);
  EXPECT_EQ(world.opens, 1U);
  world.connection->control(Control::resume, 0);
  world.run_for(0ms);
  EXPECT_EQ(world.connection->state(), State::ready);
  EXPECT_EQ(world.connection->describe(ipc::Upstream::Detail::summary).at("url"),
            "wss://other.example/");
}

TEST(ConnectionReload, WhatThePolicyStoppedIsTriedWithNewSettings) {
  ReloadWorld world;
  world.settings.settings.reconnect.on_status = {{403, 403, config::Verdict::stop}};
  world.answer("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n");
  world.start();
  world.run_for(1h);
  ASSERT_EQ(world.connection->state(), State::failed);
  world.serve("");
  world.settings.settings.authorization.bearer = config::Template("better");
  world.configure(Renewal::new_session);
  world.run_for(0ms);
  EXPECT_EQ(world.connection->state(), State::ready);
}

TEST(ConnectionReload, ALargerBudgetIsHeededAtOnce) {
  ReloadWorld world;
  world.settings.settings.reconnect.budget = {1, 24h};
  world.start();
  world.end_session();
  world.run_for(1h);
  ASSERT_EQ(world.opens, 1U);
  ASSERT_EQ(world.connection->state(), State::backing_off);
  world.settings.settings.reconnect.budget = {5, 24h};
  world.configure(Renewal::none);
  world.run_for(0ms);
  EXPECT_EQ(world.opens, 2U);
}

TEST(ConnectionReload, ASecondChangeWhileTheSessionClosesIsNotLost) {
  ReloadWorld world;
  world.environment.names["other.example"].addresses = {world.address};
  world.environment.names["third.example"].addresses = {world.address};
  world.start();
  world.settings.urls = {config::Template("wss://other.example/")};
  world.configure(Renewal::new_session);
  world.settings.urls = {config::Template("wss://third.example/")};
  world.configure(Renewal::new_session);
  world.run_for(0ms);
  world.let_close();
  EXPECT_EQ(world.connection->state(), State::ready);
  EXPECT_EQ(world.opens, 2U);
  EXPECT_EQ(world.connection->describe(ipc::Upstream::Detail::summary).at("url"),
            "wss://third.example/");
}

TEST(ConnectionReload, RetiredItSaysGoodbyeToBothSides) {
  ReloadWorld world;
  world.start();
  Subscribed app(world, false);
  int gone = 0;
  world.connection->retire({.error = Error::stopped,
                            .to_upstream = websocket::CloseCode::normal,
                            .to_readers = websocket::CloseCode::service_restart,
                            .reason = "for a reason"},
                           [&] { ++gone; });
  world.run_for(0ms);
  EXPECT_EQ(world.close_heard(), "close:1000 for a reason");
  EXPECT_EQ(gone, 0);
  world.let_close();
  EXPECT_EQ(gone, 1);
  world.run_for(1h);
  EXPECT_EQ(world.done, 1);
}

TEST(ConnectionReload, RetiredWithoutASessionItIsGoneAtOnce) {
  ReloadWorld world;
  world.route() = {.tcp_error = Error::connection_refused, .on_open = {}};
  world.start();
  world.run_for(1min);
  int gone = 0;
  world.connection->retire({}, [&] { ++gone; });
  world.run_for(0ms);
  EXPECT_EQ(gone, 1);
  EXPECT_EQ(world.done, 1);
}

TEST(ConnectionReload, ADaemonThatStopsHastensWhatIsRetired) {
  ReloadWorld world;
  world.settings.settings.timeouts.close = 1min;
  world.start();
  world.connection->retire({}, nullptr);
  world.run_for(1s);
  EXPECT_EQ(world.done, 0) << "upstream does not answer";
  world.connection->stop(2s);
  world.run_for(2s);
  EXPECT_EQ(world.done, 1);
}

}  // namespace
}  // namespace wskeep::upstream
