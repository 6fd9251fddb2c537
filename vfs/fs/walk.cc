#include "lamina/fs/walk.h"

#include <utility>

#include "lamina/base/check.h"
#include "lamina/fs/permission.h"

namespace lamina {
namespace {

constexpr std::size_t kUsualDepth = 12;
constexpr std::size_t kCommonNameMax = 255;  // no file system here allows more

// What the last component is wanted for.
enum class Goal : std::uint8_t { kNode, kCreate, kName };

// One walk. `rest_` is what is still to be walked of the text at hand: the path, or the body of the
// last symlink met. A symlink in the middle puts what follows it on `outer_`.
class Walker {
 public:
  Walker(const OpContext& op, const WalkStart& start, Goal goal, LastLink last_link)
      : op_(op),
        fs_(*start.fs),
        root_(start.root),
        goal_(goal),
        last_link_(last_link),
        search_freely_(MaySearchEverything(op.cred)) {
    result_.chain.reserve(kUsualDepth);
    if (start.cwd.empty()) {
      result_.chain.push_back(root_);
    } else {
      result_.chain = start.cwd;
    }
  }

  Result<WalkResult> Run(std::string_view path) {
    if (path.empty()) return Errno::kNoEnt;
    if (path.size() > kMaxPathBytes) return Errno::kNameTooLong;
    Enter(path);
    while (true) {
      const std::string_view component = NextComponent();
      if (component.empty()) {
        if (outer_.empty()) return FinishAtDirectory();
        Leave();
        continue;
      }
      if (Result<void> allowed = CheckSearch(); !allowed.ok()) return allowed.error();
      if (StepAlongDots(component)) continue;
      if (IsLast()) {
        Result<bool> done = WalkLast(component);
        if (!done.ok()) return done.error();
        if (*done) return std::move(result_);
        continue;
      }
      if (Result<void> stepped = WalkMiddle(component); !stepped.ok()) return stepped.error();
    }
  }

 private:
  // A piece of text that is not walked to its end. It owns the body of the symlink it is part of.
  struct Outer {
    std::string body;
    std::size_t position = 0;  // in body; of the path itself when it is the first
    std::string_view rest;
  };

  void Enter(std::string_view text) {
    rest_ = text;
    result_.last = WalkResult::Last::kRoot;
    if (text.front() != '/') return;
    result_.chain.assign(1, root_);
    directory_.reset();
  }

  // The body ended: on with what followed its symlink.
  void Leave() {
    body_ = std::move(outer_.back().body);
    rest_ = outer_.back().rest;
    if (!body_.empty()) rest_ = std::string_view(body_).substr(outer_.back().position);
    outer_.pop_back();
  }

  std::string_view NextComponent() {
    const std::size_t begin = rest_.find_first_not_of('/');
    if (begin == std::string_view::npos) {
      rest_ = {};
      return {};
    }
    std::size_t end = rest_.find('/', begin);
    if (end == std::string_view::npos) end = rest_.size();
    const std::string_view component = rest_.substr(begin, end - begin);
    rest_.remove_prefix(end);
    return component;
  }

  bool IsLast() const {
    return outer_.empty() && rest_.find_first_not_of('/') == std::string_view::npos;
  }

  Result<void> CheckSearch() {
    if (search_freely_) return {};
    if (!directory_) {
      Result<Stat> stat = fs_.GetAttr(op_, result_.chain.back());
      if (!stat.ok()) return stat.error();
      directory_ = *stat;
    }
    return CheckAccess(op_, fs_, *directory_, kMayExecute);
  }

  // "." and "..": true when it was one of them.
  bool StepAlongDots(std::string_view component) {
    if (component == ".") {
      result_.last = WalkResult::Last::kDot;
      return true;
    }
    if (component != "..") return false;
    result_.last = WalkResult::Last::kDotDot;
    if (result_.chain.size() > 1) result_.chain.pop_back();
    directory_.reset();
    return true;
  }

  Result<Stat> Find(std::string_view component) {
    if (component.size() > kCommonNameMax) return Errno::kNameTooLong;
    const Place place{result_.chain.back(), component};
    Result<NodeId> node = fs_.Lookup(op_, place);
    if (!node.ok()) return node.error();
    Result<Stat> stat = fs_.GetAttr(op_, *node);
    if (stat.ok() || stat.error() != Errno::kStale) return stat;
    // Somebody took the node away in between: what does the name mean now?
    node = fs_.Lookup(op_, place);
    return node.ok() ? fs_.GetAttr(op_, *node) : node.error();
  }

  Result<void> WalkMiddle(std::string_view component) {
    Result<Stat> stat = Find(component);
    if (!stat.ok()) return stat.error();
    if (stat->type == FileType::kSymlink) return Follow(*stat);
    if (stat->type != FileType::kDirectory) {
      return Errno::kNotDir;
    }
    result_.chain.push_back(stat->node);
    directory_ = *stat;
    return {};
  }

  // True when the walk ends here, false when a symlink leads on.
  Result<bool> WalkLast(std::string_view component) {
    const bool slash = !rest_.empty();
    result_.trailing_slash = result_.trailing_slash || slash;
    if (slash && goal_ == Goal::kCreate) return Errno::kIsDir;
    Result<Stat> stat = Find(component);
    if (stat.ok() && stat->type == FileType::kSymlink && FollowsLast()) {
      if (Result<void> followed = Follow(*stat); !followed.ok()) return followed.error();
      return false;
    }
    result_.last = WalkResult::Last::kName;
    result_.name.assign(component);
    if (!stat.ok()) {
      // A rename looks at its first name before it tells what is wrong with the second.
      const bool absent = stat.error() == Errno::kNoEnt || stat.error() == Errno::kNameTooLong;
      if (!absent && goal_ != Goal::kName) return stat.error();
      result_.missing = stat.error();
      return true;
    }
    if (goal_ != Goal::kName && result_.trailing_slash && stat->type != FileType::kDirectory) {
      return Errno::kNotDir;
    }
    result_.stat = *stat;
    return true;
  }

  bool FollowsLast() const {
    if (goal_ == Goal::kName) return false;
    return last_link_ == LastLink::kFollow || result_.trailing_slash;
  }

  Result<void> Follow(const Stat& link) {
    if (++links_ > kMaxSymlinks) return Errno::kLoop;
    Result<std::string> body = fs_.ReadLink(op_, link.node);
    if (!body.ok()) return body.error();
    if (body->empty()) return Errno::kNoEnt;
    if (rest_.find_first_not_of('/') != std::string_view::npos) {
      Outer outer;
      outer.rest = rest_;
      if (!body_.empty()) outer.position = body_.size() - rest_.size();
      outer.body = std::move(body_);
      outer_.push_back(std::move(outer));
    }
    body_ = std::move(*body);
    Enter(body_);
    return {};
  }

  Result<WalkResult> FinishAtDirectory() {
    Result<Stat> stat = fs_.GetAttr(op_, result_.chain.back());
    if (!stat.ok()) return stat.error();
    result_.stat = *stat;
    return std::move(result_);
  }

  const OpContext& op_;
  FileSystem& fs_;
  const NodeId root_;
  const Goal goal_;
  const LastLink last_link_;
  const bool search_freely_;

  WalkResult result_;
  std::optional<Stat> directory_;  // of result_.chain.back(), when known
  std::string_view rest_;
  std::string body_;  // of the symlink `rest_` is part of; empty: of the path
  std::vector<Outer> outer_;
  int links_ = 0;
};

}  // namespace

Result<WalkResult> Walk(const OpContext& op, const WalkStart& start, std::string_view path,
                        LastLink last_link) {
  return Walker(op, start, Goal::kNode, last_link).Run(path);
}

Result<WalkResult> WalkToParent(const OpContext& op, const WalkStart& start,
                                std::string_view path) {
  return Walker(op, start, Goal::kName, LastLink::kKeep).Run(path);
}

Result<WalkResult> WalkToCreate(const OpContext& op, const WalkStart& start, std::string_view path,
                                LastLink last_link) {
  return Walker(op, start, Goal::kCreate, last_link).Run(path);
}

}  // namespace lamina
