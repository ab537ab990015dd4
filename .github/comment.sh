#!/usr/bin/env bash
# Post a comment on a pull request, or replace the one that begins with the same line.
#   .github/comment.sh OWNER/REPOSITORY NUMBER FILE
set -euo pipefail
repository=$1 number=$2 file=$3
mark=$(sed -n 1p "$file")
id=$(gh api --paginate "repos/$repository/issues/$number/comments" \
  --jq ".[] | select(.user.type == \"Bot\" and (.body | startswith(\"$mark\"))) | .id" | sed -n 1p)
if [ -n "$id" ]; then
  gh api --silent --method PATCH "repos/$repository/issues/comments/$id" --field "body=@$file"
else
  gh api --silent --method POST "repos/$repository/issues/$number/comments" --field "body=@$file"
fi
