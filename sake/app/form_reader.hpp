// From the body of a request to a Form: of a whole body, whose files stay where they are, and of one that
// comes in pieces, whose large files go to temporary files.
#pragma once

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include "sake/app/call_limits.hpp"
#include "sake/app/form_impl.hpp"
#include "sake/app/problem_impl.hpp"
#include "sake/base/budget.hpp"
#include "sake/base/owning_ptr.hpp"
#include "sake/base/text.hpp"
#include "sake/http/multipart.hpp"
#include "sake/http/parameters.hpp"
#include "sake/http/uri_impl.hpp"
#include "sake/io/temporary_file.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

/// The boundary that a Content-Type names; none for a urlencoded form. Throws HttpError: 415 for another
/// type, 400 for a boundary that is not valid.
template <class Unused = void>
std::optional<std::string> form_boundary(std::string_view content_type) {
    Parameters parameters(content_type);
    if (iequals(parameters.before(), "application/x-www-form-urlencoded")) return std::nullopt;
    if (!iequals(parameters.before(), "multipart/form-data")) {
        throw HttpError(415, "the body must be application/x-www-form-urlencoded or multipart/form-data");
    }
    std::optional<std::string> boundary;
    for (;;) {
        const Parameters::Result result = parameters.next();
        if (result == Parameters::Result::end) break;
        const bool is_boundary =
            result == Parameters::Result::parameter && iequals(parameters.name, "boundary");
        if (result == Parameters::Result::malformed || (is_boundary && boundary)) {
            throw HttpError(400, "the Content-Type of the form is malformed");
        }
        if (is_boundary) boundary = parameters.text;
    }
    if (!boundary || boundary->empty()) throw HttpError(400, "the Content-Type of the form has no boundary");
    if (boundary->size() > longest_boundary) {
        throw HttpError(400, "the boundary of the form is longer than 70 bytes (boundary)");
    }
    if (!std::all_of(boundary->begin(), boundary->end(), is_boundary_char) || boundary->back() == ' ') {
        throw HttpError(400, "the boundary of the form has a byte that is not allowed (boundary)");
    }
    return boundary;
}

/// A template, so that only programs with forms compile it: see task.hpp.
template <class Unused>
class FormReader {
  public:
    /// Throws as form_boundary does.
    FormReader(std::string_view content_type, const CallLimits& limits,
               TemporaryFile::Close close_large = nullptr)
        : limits_(limits), close_large_(close_large) {
        if (const std::optional<std::string> boundary = form_boundary<Unused>(content_type)) {
            parser_.reset(new MultipartParser(*boundary, limits.form));
        }
    }

    /// What the form holds in memory is counted from now on, by `take`: it is `held` bytes of `memory`.
    void count_in(BudgetShare& memory, std::size_t& held) noexcept {
        share_ = &memory;
        held_ = &held;
    }

    /// The form of a body that is whole. Files are views of it.
    [[nodiscard]] Form parse(std::string_view body) {
        if (!parser_) {
            add_pairs(body);
            return std::move(form_);
        }
        std::size_t at = 0;
        std::size_t begin = 0;  // of the part, whose data lies in one piece
        for (;;) {
            const MultipartParser::Step step = parser_->read(body.substr(at));
            at += step.consumed;
            if (step.kind == Kind::need_more || step.kind == Kind::refused) break;
            if (step.kind == Kind::part) {
                begin_part();
                begin = at;
                size_ = 0;
            } else if (step.kind == Kind::data) {
                size_ += step.data.size();
            } else if (step.kind == Kind::part_end) {
                const std::string_view data = body.substr(begin, size_);
                if (is_file()) {
                    form_.files_.back().body_ = data;
                } else {
                    form_.fields_.back().value = data;
                }
                static_cast<void>(end_part());
            }
        }
        return finish();
    }

    /// Takes bytes off the front of a piece of the body; true if `spill` is to be called before it takes
    /// more. Throws HttpError.
    [[nodiscard]] bool take(std::string_view& piece) {
        demand_memory();  // gives back what a spill has written
        if (!parser_) {
            count_fields(piece.size());
            text_.append(std::exchange(piece, {}));
            return false;
        }
        for (;;) {
            const MultipartParser::Step step = parser_->read(piece);
            piece.remove_prefix(step.consumed);
            switch (step.kind) {
                case Kind::part:
                    begin_part();
                    size_ = 0;
                    count_fields(is_file() ? 0 : form_.fields_.back().name.size());
                    break;
                case Kind::data:
                    if (add(step.data)) return true;
                    break;
                case Kind::part_end:
                    if (end_part()) return true;
                    break;
                case Kind::done:
                    break;
                case Kind::need_more:
                    return false;
                case Kind::refused:
                    throw HttpError(parser_->status(), parser_->reason());
            }
        }
    }

    /// Writes a file to its temporary file, as far as it has come. It blocks: for a thread that may. Throws
    /// std::system_error that names the file.
    void spill() {
        Upload& upload = form_.files_[to_spill_];
        if (!upload.file_) {
            upload.file_ =
                CountedPtr<TemporaryFile>(new TemporaryFile(limits_.temporary_directory, close_large_));
        }
        upload.file_->write(upload.own_);
        memory_ -= upload.own_.size();
        upload.own_ = {};
    }
    /// Throws HttpError 507 if `spill` has failed for want of room, and 503 for want of descriptors or
    /// memory.
    static void refuse_for(const std::system_error& failure) {
        const int code = failure.code().value();
        if (code == ENOSPC || code == EDQUOT) {
            throw HttpError(507, "the server has no room to spare for the files of this form");
        }
        if (code == EMFILE || code == ENFILE || code == ENOMEM) refuse_for_now();
    }

    /// The body has ended. Throws HttpError.
    [[nodiscard]] Form finish() {
        if (!parser_) {
            add_pairs(text_);
        } else if (parser_->end().kind == Kind::refused) {
            throw HttpError(parser_->status(), parser_->reason());
        }
        return std::move(form_);
    }

  private:
    using Kind = MultipartParser::Kind;

    [[nodiscard]] bool is_file() { return parser_->head().is_file; }

    [[noreturn]] static void refuse_for_now() {
        throw HttpError(503, "the server has no resources to spare for this request")
            .header("Retry-After", "1");
    }

    void demand_memory() {
        if (share_ != nullptr && !share_->resize_part(*held_, fields_size_ + memory_)) refuse_for_now();
    }

    void begin_part() {
        PartHead& head = parser_->head();
        if (!head.is_file) {
            form_.fields_.push_back({std::move(head.name), {}});
            return;
        }
        Upload upload;
        upload.field_ = std::move(head.name);
        upload.filename_ = std::move(head.filename);
        upload.content_type_ = std::move(head.content_type);
        form_.files_.push_back(std::move(upload));
    }

    // True if a file is to be spilled: this one if it is too large, the largest if all of them are. So small
    // files need few descriptors.
    [[nodiscard]] bool add(std::string_view data) {
        size_ += data.size();
        if (!is_file()) {
            count_fields(data.size());
            form_.fields_.back().value.append(data);
            return false;
        }
        Upload& upload = form_.files_.back();
        upload.own_.append(data);
        memory_ += data.size();
        demand_memory();
        to_spill_ = form_.files_.size() - 1;
        if (upload.file_ != nullptr) return upload.own_.size() >= spilled_at_once;
        if (upload.own_.size() > limits_.form_memory) return true;
        if (memory_ / files_in_memory <= limits_.form_memory) return false;
        const auto smaller = [](const Upload& a, const Upload& b) { return a.own_.size() < b.own_.size(); };
        to_spill_ = static_cast<std::size_t>(
            std::max_element(form_.files_.begin(), form_.files_.end(), smaller) - form_.files_.begin());
        return true;
    }

    [[nodiscard]] bool end_part() {
        if (!is_file()) return false;
        const Upload& upload = form_.files_.back();
        to_spill_ = form_.files_.size() - 1;
        if (size_ > 0) return upload.file_ != nullptr && !upload.own_.empty();
        if (upload.filename_.empty()) form_.files_.pop_back();  // nothing was chosen
        return false;
    }

    /// Of a form that is streamed, whose body may be as large as its files.
    void count_fields(std::size_t size) {
        constexpr std::size_t largest = std::numeric_limits<std::size_t>::max();
        const std::size_t one = limits_.form.field;
        const std::size_t most = one > largest / fields_in_memory ? largest : one * fields_in_memory;
        if (size > most - fields_size_) {
            throw HttpError(413, "the fields of the form are larger than " + std::to_string(most) +
                                     " bytes together (16 times max_form_field)");
        }
        fields_size_ += size;
        demand_memory();
    }

    void add_pairs(std::string_view text) {
        std::size_t count = 0;
        for (const auto& [name, value] : QueryPairs(text)) {
            if (++count > limits_.form_pairs) {
                throw HttpError(413, "the form has more than " + std::to_string(limits_.form_pairs) +
                                         " pairs (max_form_pairs)");
            }
            FormField field{percent_decode_form(name), percent_decode_form(value)};
            if (std::max(field.name.size(), field.value.size()) > limits_.form.field) {
                throw HttpError(413, "a field of the form is larger than " +
                                         std::to_string(limits_.form.field) + " bytes (max_form_field)");
            }
            form_.fields_.push_back(std::move(field));
        }
    }

    static constexpr std::size_t fields_in_memory = 16;  // the largest, together
    static constexpr std::size_t files_in_memory = 4;    // the same
    static constexpr std::size_t spilled_at_once = std::size_t{128} * 1024;

    const CallLimits& limits_;
    TemporaryFile::Close close_large_;
    OwningPtr<MultipartParser> parser_;  // none for a urlencoded form
    std::string text_;                   // of such a form
    Form form_;
    std::size_t size_ = 0;         // of the part at hand
    std::size_t fields_size_ = 0;  // of all fields
    std::size_t memory_ = 0;       // of all files
    std::size_t to_spill_ = 0;     // the file
    BudgetShare* share_ = nullptr;
    std::size_t* held_ = nullptr;
};

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
