#include <gtest/gtest.h>

#include <string>

#include "daemon/upstream/session.hpp"
#include "tests/unit/daemon/session_world.hpp"

/// Pings and time-outs, to the millisecond of virtual time.
namespace wskeep::upstream {
namespace {

using daemon::Error;

/// Says something every second, so that the connection counts as alive.
void keep_alive(SessionWorld& world, std::chrono::seconds duration) {
  for (auto passed = 0s; passed < duration; passed += 1s) {
    world.run_for(1s);
    world.say(frame(Opcode::pong, ""));
  }
}

TEST(SessionTime, PingsAreSentAndTheRoundTripIsMeasured) {
  SessionWorld world;
  world.begin();
  world.run_for(9'999ms);
  EXPECT_EQ(world.hear(), Texts{});
  world.run_for(1ms);
  const Texts first = world.hear();
  ASSERT_EQ(first.size(), 1U);
  ASSERT_TRUE(first[0].starts_with("ping:"));
  world.run_for(35ms);
  world.say(frame(Opcode::pong, first[0].substr(5)));
  EXPECT_EQ(world.statistics.round_trip, 35ms);
  world.run_for(10s - 35ms - 1ms);
  EXPECT_EQ(world.hear(), Texts{});
  world.run_for(1ms);
  const Texts second = world.hear();
  ASSERT_EQ(second.size(), 1U);
  EXPECT_NE(first, second);
  world.say(frame(Opcode::pong, first[0].substr(5)));  // an old one says nothing
  world.say(frame(Opcode::pong, "short"));
  EXPECT_EQ(world.statistics.round_trip, 35ms);
}

TEST(SessionTime, APongThatIsRepeatedDoesNotMeasureAgain) {
  SessionWorld world;
  world.begin();
  world.run_for(10s);
  const std::string pong = frame(Opcode::pong, world.hear().at(0).substr(5));
  world.run_for(20ms);
  world.say(pong);
  world.run_for(5s);
  world.say(pong);
  EXPECT_EQ(world.statistics.round_trip, 20ms);
}

TEST(SessionTime, APingThatWaitsToBeSentIsNotCountedAsLaterOnes) {
  SessionWorld world;
  world.begin();
  world.peer().set_room(6);  // takes the front of the first ping
  world.run_for(10s);
  world.say(frame(Opcode::pong, ""));
  world.run_for(10s);  // the second has no room at all
  world.peer().set_room(SIZE_MAX);
  world.ears->hear(world.peer().take());
  const Texts heard = world.hear();
  ASSERT_EQ(heard.size(), 1U);
  world.say(frame(Opcode::pong, heard[0].substr(5)));
  EXPECT_EQ(world.statistics.round_trip, 10s);
}

TEST(SessionTime, NoPingsWhenTheyAreOff) {
  SessionWorld world;
  world.settings.keepalive.ping = 0ms;
  world.begin();
  keep_alive(world, 100s);
  EXPECT_EQ(world.hear(), Texts{});
  EXPECT_FALSE(world.end);
}

TEST(SessionTime, SilenceEndsItExactly) {
  SessionWorld world;
  world.begin();
  world.run_for(12'345ms);
  world.say(frame(Opcode::pong, ""));  // a control frame is a sign of life, too
  world.run_for(29'999ms);
  EXPECT_FALSE(world.end);
  world.run_for(1ms);
  ASSERT_TRUE(world.end);
  EXPECT_EQ(world.end->failure.error, Error::receive_timeout);
  EXPECT_EQ(world.end->closed_by, ClosedBy::wskeep);
  EXPECT_EQ(world.ended_at, 42'345ms);
}

TEST(SessionTime, WhileALocalReaderIsWaitedForSilenceMeansNothing) {
  SessionWorld world(channel_options(1h));
  world.settings.keepalive.ping = 0ms;
  world.begin();
  LocalApp app(world.environment, world.channel, 4096);
  for (int i = 0; i < 200; ++i) world.say(text_frame(std::string(1000, 'x')));
  ASSERT_EQ(world.channel.statistics().stalls, 1U);
  world.run_for(10min);
  EXPECT_FALSE(world.end);
  while (app.read()) world.settle();
  EXPECT_EQ(app.ears.heard.size(), 200U);
  world.run_for(29'999ms);
  EXPECT_FALSE(world.end);
  world.run_for(1ms);
  EXPECT_EQ(world.error(), Error::receive_timeout);
}

TEST(SessionTime, AMessageBegunAndNotEndedEndsIt) {
  const std::string begins[] = {
      text_frame("hello").substr(0, 1),
      text_frame("hello").substr(0, 4),
      frame(Opcode::text, "hello", false),
      text_frame("whole") + frame(Opcode::text, "hello", false) +
          frame(Opcode::continuation, "", false),
  };
  for (const auto& begin : begins) {
    SessionWorld world;
    world.settings.timeouts.receive = 1h;
    world.begin();
    world.run_for(1'234ms);
    world.say(begin);
    for (int i = 0; i < 29; ++i) {
      world.run_for(1s);
      // Life of another kind does not help; it cannot stand within a frame.
      if (begin.size() > 5) world.say(frame(Opcode::ping, ""));
    }
    world.run_for(999ms);
    EXPECT_FALSE(world.end);
    world.run_for(1ms);
    ASSERT_TRUE(world.end);
    EXPECT_EQ(world.end->failure.error, Error::message_timeout);
    EXPECT_EQ(world.end->closed_by, ClosedBy::wskeep);
    EXPECT_EQ(world.ended_at, 31'234ms);
    EXPECT_EQ(world.statistics.discarded_messages, 1U);
  }
}

TEST(SessionTime, AMessageThatIsDrippedEndsIt) {
  SessionWorld world;
  world.begin();
  const std::string message = text_frame(std::string(100, 'x'));
  for (std::size_t i = 0; i < message.size() && !world.end; ++i) {
    world.say(message.substr(i, 1));
    world.run_for(1s);
  }
  EXPECT_EQ(world.error(), Error::message_timeout);
  EXPECT_EQ(world.ended_at, 30s);
}

TEST(SessionTime, EachMessageHasItsOwnTime) {
  // A busy stream whose reads never end between two messages: each one is well within its time.
  for (const bool compressed : {false, true}) {
    SessionWorld world;
    const auto agreed = compressed ? std::optional(websocket::DeflateParameters{}) : std::nullopt;
    world.begin("", agreed);
    const std::string message = text_frame("a message");
    world.say(message.substr(0, 5));
    for (int i = 0; i < 100; ++i) {
      world.run_for(1s);
      world.say(message.substr(5) + message.substr(0, 5));
    }
    EXPECT_FALSE(world.end) << world.end->failure.text;
    EXPECT_EQ(world.messages().size(), 100U);
    // The last one's time began with its first byte.
    world.run_for(30s);
    ASSERT_TRUE(world.end);
    EXPECT_EQ(world.ended_at, 130s);
  }
}

TEST(SessionTime, AServerThatTakesNothingEndsItAndPublishersDoNotKnow) {
  SessionWorld world;
  world.begin();
  world.peer().set_room(10);
  world.run_for(500ms);
  world.publish("first", 1);
  world.publish("second", 2);
  world.session->flush();
  keep_alive(world, 29s);
  world.run_for(999ms);
  EXPECT_FALSE(world.end);
  EXPECT_EQ(world.publisher->told, Texts{});
  world.run_for(1ms);
  ASSERT_TRUE(world.end);
  EXPECT_EQ(world.ended_at, 30'500ms);
  EXPECT_EQ(world.error(), Error::send_timeout);
  EXPECT_EQ(world.publisher->told, (Texts{"unknown 1 send_timeout", "unknown 2 send_timeout"}));
}

TEST(SessionTime, AServerThatTakesALittleEachTimeIsWaitedFor) {
  SessionWorld world;
  world.begin();
  world.peer().set_room(10);
  world.publish(std::string(100, 'x'), 1);
  world.session->flush();
  std::string taken;
  for (int i = 0; i < 11; ++i) {
    keep_alive(world, 29s);
    taken += world.peer().take();
    world.settle();
  }
  EXPECT_FALSE(world.end);
  EXPECT_EQ(world.publisher->told, (Texts{"written 1"}));
}

TEST(SessionTime, OurCloseFrameIsWaitedForOnlySoLong) {
  SessionWorld world;
  world.begin();
  world.session->close(websocket::CloseCode::going_away, "stopping", Error::stopped);
  // Goes on talking, but never answers.
  for (int i = 0; i < 4; ++i) {
    world.run_for(1s);
    world.say(text_frame("more"));
  }
  world.run_for(999ms);
  EXPECT_FALSE(world.end);
  world.run_for(1ms);
  EXPECT_EQ(world.error(), Error::stopped);
  EXPECT_EQ(world.messages().size(), 4U);
}

TEST(SessionTime, LessTimeToCloseCanBeAskedFor) {
  SessionWorld world;
  world.begin();
  world.session->close(websocket::CloseCode::going_away, "stopping", Error::stopped, 700ms);
  world.run_for(1h);
  EXPECT_EQ(world.ended_at, 700ms);
}

TEST(SessionTime, AServerThatClosesAndLeavesTcpOpenIsLeft) {
  for (const auto& bytes : {close_frame(1000), std::string("\x83\x00", 2)}) {
    SessionWorld world;
    world.begin();
    world.run_for(100ms);
    world.say(bytes);
    for (int i = 0; i < 4; ++i) {
      world.run_for(1s);
      world.say(text_frame("ignored"));
    }
    world.run_for(999ms);
    EXPECT_FALSE(world.end);
    world.run_for(1ms);
    ASSERT_TRUE(world.end);
    EXPECT_EQ(world.ended_at, 5'100ms);
    EXPECT_TRUE(world.messages().empty());
  }
}

TEST(SessionTime, ACloseFrameThatCannotBeSentEndsItLikewise) {
  SessionWorld world;
  world.begin();
  world.peer().set_room(0);
  world.publish("stuck", 1);
  world.session->flush();
  world.run_for(29s);
  world.say(close_frame(1000));
  world.run_for(1h);
  EXPECT_EQ(world.error(), Error::closed_by_peer);
  EXPECT_EQ(world.ended_at, 34s);
  EXPECT_EQ(world.publisher->told, (Texts{"unknown 1 closed_by_peer"}));
}

TEST(SessionTime, APingThatCameWhileTheServerTookNothingIsAnsweredThen) {
  SessionWorld world;
  world.begin();
  world.peer().set_room(10);
  world.publish(std::string(100, 'x'), 1);
  world.session->flush();
  world.say(frame(Opcode::ping, "1"));
  world.say(frame(Opcode::ping, "2"));
  Texts heard;
  world.peer().set_room(1000);
  for (int i = 0; i < 5; ++i)
    for (auto& one : world.hear()) heard.push_back(one);
  EXPECT_EQ(heard, (Texts{"text:" + std::string(100, 'x'), "pong:2"}));
}

TEST(SessionTime, PingsAreAnsweredAlsoWhilePublishersKeepTheBufferFull) {
  SessionWorld world;
  world.settings.send_buffer = 2000;
  world.begin();
  world.peer().set_room(500);
  std::size_t pongs = 0;
  for (int i = 0; i < 200; ++i) {
    while (world.publish(std::string(300, 'x')).empty()) {
    }
    world.session->flush();
    world.say(frame(Opcode::ping, std::to_string(i)));
    for (const auto& one : world.hear()) pongs += one.starts_with("pong:") ? 1U : 0U;
    ASSERT_LE(world.session->unsent(), 2000U + 306U + 131U);
  }
  EXPECT_GT(pongs, 20U);
}

/// Alive, and without a message.
void ping_every_second(SessionWorld& world, std::chrono::seconds duration) {
  for (auto passed = 0s; passed < duration; passed += 1s) {
    world.run_for(1s);
    world.say(frame(Opcode::ping, ""));
    world.hear();
  }
}

void expect_told_and_left(SessionWorld& world, const std::string& text, Error error) {
  EXPECT_EQ(world.hear(), (Texts{"close:1001 " + text}));
  EXPECT_FALSE(world.end);
  world.say(close_frame(1001));
  world.peer().end();
  world.settle();
  ASSERT_TRUE(world.end);
  EXPECT_EQ(world.end->failure.error, error);
  EXPECT_EQ(world.end->failure.text, text);
  EXPECT_EQ(world.end->closed_by, ClosedBy::wskeep);
  EXPECT_FALSE(world.end->close_timed_out);
}

TEST(SessionTime, AFirstMessageThatDoesNotComeEndsIt) {
  SessionWorld world;
  world.settings.timeouts.first_message = 20s;
  world.begin();
  world.say(frame(Opcode::text, "begun ", false));
  ping_every_second(world, 19s);
  world.run_for(999ms);
  EXPECT_EQ(world.hear(), Texts{});
  world.run_for(1ms);
  expect_told_and_left(world, "no message came within timeouts.first_message",
                       Error::first_message_timeout);
}

TEST(SessionTime, AfterTheFirstMessageOnlySilenceCounts) {
  SessionWorld world;
  world.settings.keepalive.ping = 0ms;
  world.settings.timeouts.first_message = 40s;
  world.settings.timeouts.silence = 10s;
  world.begin();
  ping_every_second(world, 39s);
  world.say(text_frame("first"));
  ping_every_second(world, 9s);
  world.say(frame(Opcode::text, "se", false));
  world.say(frame(Opcode::continuation, "cond"));
  ping_every_second(world, 9s);
  world.run_for(999ms);
  EXPECT_EQ(world.hear(), Texts{});
  world.run_for(1ms);
  expect_told_and_left(world, "no message came for timeouts.silence", Error::silence_timeout);
}

TEST(SessionTime, SilenceThatEndsBeforeTheTimeForTheFirstMessageIsNoticedInTime) {
  SessionWorld world;
  world.settings.keepalive.ping = 0ms;
  world.settings.timeouts.first_message = 10s;
  world.settings.timeouts.silence = 2s;
  world.begin();
  world.run_for(1s);
  world.say(text_frame("first"));
  world.run_for(1'999ms);
  EXPECT_EQ(world.hear(), Texts{});
  world.run_for(1ms);
  expect_told_and_left(world, "no message came for timeouts.silence", Error::silence_timeout);
}

TEST(SessionTime, SilenceCountsFromTheBeginWhereThereIsNoTimeForTheFirstMessage) {
  SessionWorld world;
  world.settings.keepalive.ping = 0ms;
  world.settings.timeouts.silence = 10s;
  world.statistics.messages_in = 5;  // of an earlier session
  world.begin(frame(Opcode::ping, "with the 101"));
  ping_every_second(world, 9s);
  world.run_for(1s);
  expect_told_and_left(world, "no message came for timeouts.silence", Error::silence_timeout);
}

TEST(SessionTime, AMessageWithThe101IsTheFirst) {
  SessionWorld world;
  world.settings.keepalive.ping = 0ms;
  world.settings.timeouts.first_message = 10s;
  world.begin(text_frame("early"));
  world.run_for(29s);
  EXPECT_EQ(world.hear(), Texts{});
}

TEST(SessionTime, WhileALocalReaderIsWaitedForTheWaitForMessagesStandsStill) {
  SessionWorld world(channel_options(1h));
  world.settings.keepalive.ping = 0ms;
  world.settings.timeouts.silence = 10s;
  world.begin();
  LocalApp app(world.environment, world.channel, 4096);
  for (int i = 0; i < 200; ++i) world.say(text_frame(std::string(1000, 'x')));
  ASSERT_EQ(world.channel.statistics().stalls, 1U);
  world.run_for(10min);
  EXPECT_EQ(world.hear(), Texts{});
  while (app.read()) world.settle();
  EXPECT_EQ(app.ears.heard.size(), 200U);
  world.run_for(9'999ms);
  EXPECT_EQ(world.hear(), Texts{});
  world.run_for(1ms);
  expect_told_and_left(world, "no message came for timeouts.silence", Error::silence_timeout);
}

TEST(SessionTime, ACloseThatIsNotOverInTimeIsSaidAndKeepsItsReason) {
  const std::string late = "upstream did not end the connection in time (timeouts.close)";
  {
    SessionWorld world;
    world.begin();
    world.say(close_frame(4000, "see you"));
    world.run_for(5s);
    EXPECT_EQ(world.error(), Error::closed_by_peer);
    EXPECT_TRUE(world.end->close_timed_out);
    EXPECT_EQ(world.end->failure.text, "upstream closed with 4000: see you; " + late);
    EXPECT_EQ(world.statistics.close_timeouts, 1U);
  }
  {
    SessionWorld world;
    world.begin();
    world.session->close(websocket::CloseCode::going_away, "stopping", Error::lifetime);
    world.run_for(5s);
    EXPECT_EQ(world.error(), Error::lifetime);
    EXPECT_TRUE(world.end->close_timed_out);
    EXPECT_EQ(world.end->failure.text, "stopping; " + late);
  }
  {
    SessionWorld world;
    world.begin();
    world.session->close(websocket::CloseCode::normal, "", Error::none);
    world.run_for(5s);
    EXPECT_EQ(world.error(), Error::close_timeout);
    EXPECT_EQ(world.end->failure.text, late);
  }
  {
    SessionWorld world;
    world.begin();
    world.peer().set_room(0);
    world.session->close(websocket::CloseCode::normal, "bye", Error::stopped);
    world.run_for(5s);
    EXPECT_EQ(world.end->failure.text,
              "bye; our Close frame could not be sent in time (timeouts.close)");
  }
}

TEST(SessionTime, WhileItIsBeingClosedLessTimeCanBeAskedFor) {
  SessionWorld world;
  world.begin();
  world.say(close_frame(1000));
  world.run_for(1s);
  world.session->close(websocket::CloseCode::going_away, "stopping", Error::stopped, 700ms);
  world.run_for(1h);
  EXPECT_EQ(world.ended_at, 1'700ms);
  EXPECT_EQ(world.error(), Error::closed_by_peer);
}

TEST(SessionTime, UnsolicitedPongsAreSentAlsoWithoutPings) {
  SessionWorld world;
  world.settings.keepalive.ping = 0ms;
  world.settings.keepalive.pong = 7s;
  world.begin();
  world.run_for(6'999ms);
  EXPECT_EQ(world.hear(), Texts{});
  world.run_for(1ms);
  EXPECT_EQ(world.hear(), (Texts{"pong:"}));
  world.run_for(14s);
  EXPECT_EQ(world.hear(), (Texts{"pong:", "pong:"}));
}

TEST(SessionTime, TheRoundTripIsSmoothedAsRfc6298Says) {
  SessionWorld world;
  world.begin();
  const auto answer_after = [&](std::chrono::milliseconds delay) {
    world.run_for(10s - std::chrono::milliseconds(world.environment.elapsed().count() % 10'000));
    const std::string ping = world.hear().at(0).substr(5);
    world.run_for(delay);
    world.say(frame(Opcode::pong, ping));
  };
  answer_after(80ms);
  EXPECT_EQ(world.statistics.round_trip_smoothed, 80ms);
  EXPECT_EQ(world.statistics.round_trip_variation, 40ms);
  answer_after(160ms);
  EXPECT_EQ(world.statistics.round_trip, 160ms);
  EXPECT_EQ(world.statistics.round_trip_smoothed, 90ms);   // 7/8 * 80 + 1/8 * 160
  EXPECT_EQ(world.statistics.round_trip_variation, 50ms);  // 3/4 * 40 + 1/4 * 80
}

TEST(SessionTime, AProbeThatNothingAnswersEndsIt) {
  SessionWorld world;
  world.begin();
  world.run_for(3s);
  world.session->probe();
  EXPECT_EQ(world.hear().size(), 1U);
  world.run_for(2s);
  world.session->probe();  // again: the first one's time stands
  world.run_for(2'999ms);
  EXPECT_FALSE(world.end);
  world.run_for(1ms);
  EXPECT_EQ(world.error(), Error::receive_timeout);
  EXPECT_EQ(world.ended_at, 8s);
}

TEST(SessionTime, AProbeHasNoMoreTimeThanTheReceiveTimeOut) {
  SessionWorld world;
  world.settings.timeouts.receive = 2s;
  world.begin();
  world.run_for(1s);
  world.say(frame(Opcode::pong, ""));
  world.run_for(500ms);
  world.session->probe();
  world.run_for(10s);
  EXPECT_EQ(world.ended_at, 3s);  // the receive time-out itself, before the probe's
}

TEST(SessionTime, AnythingAnswersAProbe) {
  SessionWorld world;
  world.begin();
  world.session->probe();
  world.say(text_frame("at the same instant"));
  world.run_for(29s);
  EXPECT_FALSE(world.end);
}

TEST(SessionTime, WithPingsOffNothingIsProbed) {
  SessionWorld world;
  world.settings.keepalive.ping = 0ms;
  world.begin();
  world.session->probe();
  world.run_for(29'999ms);
  EXPECT_EQ(world.hear(), Texts{});
  EXPECT_FALSE(world.end);
}

}  // namespace
}  // namespace wskeep::upstream
