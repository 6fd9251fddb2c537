// Voice: how a driver says something to DriverOptions::on_message.
//
// Threads: as the listener.
#ifndef LAMINA_VFS_DRIVER_VOICE_H_
#define LAMINA_VFS_DRIVER_VOICE_H_

#include <string_view>
#include <utility>

#include "lamina/driver/storage_driver.h"

namespace lamina::internal {

class Voice {
 public:
  explicit Voice(DriverListener listener) : listener_(std::move(listener)) {}

  void Warn(std::string_view text) const { Say(DriverMessage::Kind::kWarning, text); }
  // Gives `error` back: `return voice.Fail(Errno::kInval, "…")`.
  Errno Fail(Errno error, std::string_view text) const {
    Say(DriverMessage::Kind::kError, text);
    return error;
  }

 private:
  void Say(DriverMessage::Kind kind, std::string_view text) const {
    if (listener_) listener_({kind, text});
  }

  DriverListener listener_;
};

}  // namespace lamina::internal
#endif  // LAMINA_VFS_DRIVER_VOICE_H_
