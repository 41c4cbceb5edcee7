#pragma once

#include "match/json_reader.hpp"
#include "match/message.hpp"
#include "match/rule_set.hpp"

namespace wskeep::script {

// Scripts speak of messages and rules all the time.
using match::JsonReader;
using match::JsonValue;
using match::Message;
using match::RuleError;
using match::RuleSet;

}  // namespace wskeep::script
